#pragma once
// SocketStream: the bytes of one connection, in the clear or with TLS, with a bound on every wait.

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "api/tls_identity.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace skbtrail {

// Used by one thread, which blocks SIGPIPE. Whatever waits ends with ECANCELED as soon as `stop` is readable, and with
// ETIMEDOUT when its time is over.
class SocketStream final {
public:
  using Clock = std::chrono::steady_clock;

  // `socket` does not block; `stop`, an eventfd, outlives this. `ssl` null: in the clear.
  SocketStream(UniqueFd socket, int stop, SslSession ssl);

  // Before anything else; does nothing in the clear.
  Result<> handshake(Clock::time_point deadline);
  // Some bytes; 0: no more will come.
  Result<std::size_t> read(std::span<char> into, Clock::time_point deadline);
  // All of it. `patience`: how long the other end may take none of it; `last`: until when it must have taken all.
  Result<> write(std::string_view bytes, std::chrono::milliseconds patience,
                 Clock::time_point last = Clock::time_point::max());
  // Whether it has closed its connection, or only its side of it.
  bool other_end_has_left() const;
  bool is_stopping() const;
  // Says that no more will come, and waits until the other end has heard what was written, so long at most: closing
  // with bytes unread would take the answer away from whoever is still sending.
  void finish(std::chrono::milliseconds patience);

  int fd() const { return socket_.get(); }

private:
  // What a step on the socket came to: bytes, or what has to be waited for (POLLIN, POLLOUT).
  struct Step {
    std::size_t bytes = 0;
    short wait = 0;
    int error = 0;  // errno
  };

  Step read_step(std::span<char> into);
  Step write_step(std::string_view bytes);
  Step ssl_step(int result, short otherwise);
  Result<> wait_for(short events, Clock::time_point deadline) const;

  UniqueFd socket_;
  int stop_;
  SslSession ssl_;  // goes before the socket
};

}  // namespace skbtrail
