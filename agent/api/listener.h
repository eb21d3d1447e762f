#pragma once
// Listener: a socket that takes connections, on the network or as a file.

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "api/listen_address.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace skbtrail {

// Owns the socket, which does not block, and the file of a unix socket, which goes with it.
class Listener final {
public:
  enum class Reach : std::uint8_t { Loopback, Anywhere };

  // EPERM: the address is not of the loopback interface, and `reach` allows no other. Other codes: the system's.
  static Result<Listener> on_network(const ListenAddress& address, Reach reach);
  // With mode 0600; its folder is made, for all to enter, when there is none. A socket that nobody listens on is
  // replaced, also while another agent tries the same: one of both gets the name, and keeps it. EADDRINUSE: somebody
  // listens there. EEXIST: the file is no socket.
  static Result<Listener> on_path(const std::string& path);

  Listener(Listener&& other) noexcept = default;
  Listener& operator=(Listener&& other) = delete;
  ~Listener();

  int fd() const { return socket_.get(); }
  std::uint16_t port() const { return port_; }  // 0: a unix socket

private:
  static Result<Listener> on_one_network(const ListenAddress& address, Reach reach);
  explicit Listener(UniqueFd socket) : socket_(std::move(socket)) {}

  UniqueFd socket_;
  std::uint16_t port_ = 0;
  std::string path_ = {};
  dev_t device_ = 0;  // of the file, so that nobody else's is removed
  ino_t inode_ = 0;
};

}  // namespace skbtrail
