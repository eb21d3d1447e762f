#pragma once
// HttpClient: one connection of a test, as rude as the test wants it.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <chrono>
#include <cstdint>
#include <string>

#include "base/unique_fd.h"

namespace skbtrail::test {

class HttpClient final {
public:
  static constexpr std::chrono::seconds kPatience{20};  // for what takes milliseconds; sanitizers are slow

  explicit HttpClient(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  }
  explicit HttpClient(const std::string& path) : socket_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    connected_ = ::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  }

  bool is_connected() const { return connected_; }
  int fd() const { return socket_.get(); }
  void close() { socket_.reset(); }

  // False: the other end has closed.
  bool send(const std::string& bytes) const {
    std::size_t sent = 0;
    while (sent < bytes.size()) {
      const ssize_t got = ::send(socket_.get(), bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (got <= 0)
        return false;
      sent += static_cast<std::size_t>(got);
    }
    return true;
  }

  // Reads until `text` has come, the other end closes, or patience ends; all that has come so far.
  const std::string& read_until(const std::string& text) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (received_.find(text) == std::string::npos && std::chrono::steady_clock::now() < deadline && read_some()) {
    }
    return received_;
  }
  // Until the other end closes.
  const std::string& read_all() { return read_until("\x01 never sent"); }
  // Whether the other end has closed, all that it sent being read.
  bool sees_end() {
    (void)read_all();
    return ended_;
  }
  void forget() { received_.clear(); }

private:
  bool read_some() {
    pollfd ready{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    if (::poll(&ready, 1, 100) == 0)
      return true;
    char bytes[65536];
    const ssize_t got = ::recv(socket_.get(), bytes, sizeof(bytes), 0);
    if (got <= 0) {
      ended_ = true;
      return false;
    }
    received_.append(bytes, static_cast<std::size_t>(got));
    return true;
  }

  UniqueFd socket_;
  bool connected_ = false;
  bool ended_ = false;
  std::string received_;
};

inline std::string request_text(const std::string& method, const std::string& path, const std::string& fields = "",
                                const std::string& body = "") {
  return method + " " + path + " HTTP/1.1\r\nHost: n1\r\nAuthorization: Bearer anna\r\n" + fields +
         (body.empty() ? ""
                       : "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n") +
         "\r\n" + body;
}

}  // namespace skbtrail::test
