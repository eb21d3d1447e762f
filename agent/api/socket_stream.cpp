#include "api/socket_stream.h"

#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

namespace skbtrail {
namespace {

constexpr std::size_t kMaxStep = 1U << 20;  // bytes of one call; OpenSSL counts in int

bool is_later(int err) {
  return err == EAGAIN || err == EWOULDBLOCK || err == EINTR;
}

int milliseconds_until(SocketStream::Clock::time_point deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - SocketStream::Clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, std::numeric_limits<int>::max()));
}

}  // namespace

SocketStream::SocketStream(UniqueFd socket, int stop, SslSession ssl)
    : socket_(std::move(socket)), stop_(stop), ssl_(std::move(ssl)) {
  if (ssl_)
    ::SSL_set_fd(ssl_.get(), socket_.get());
}

Result<> SocketStream::handshake(Clock::time_point deadline) {
  while (ssl_) {
    ::ERR_clear_error();
    const int result = ::SSL_accept(ssl_.get());
    if (result == 1)
      break;
    const Step step = ssl_step(result, POLLIN);
    if (step.wait == 0)
      return refuse(EPROTO, "no TLS handshake");
    TRY(wait_for(step.wait, deadline));
  }
  return {};
}

Result<std::size_t> SocketStream::read(std::span<char> into, Clock::time_point deadline) {
  while (true) {
    const Step step = read_step(into.first(std::min(into.size(), kMaxStep)));
    if (step.error != 0)
      return fail(step.error, "read a request");
    if (step.wait == 0)
      return step.bytes;
    TRY(wait_for(step.wait, deadline));
  }
}

Result<> SocketStream::write(std::string_view bytes, std::chrono::milliseconds patience, Clock::time_point last) {
  auto deadline = std::min(Clock::now() + patience, last);
  while (!bytes.empty()) {
    const Step step = write_step(bytes.substr(0, kMaxStep));
    if (step.error != 0)
      return fail(step.error, "send an answer");
    if (step.wait != 0) {
      TRY(wait_for(step.wait, deadline));
      continue;
    }
    bytes.remove_prefix(step.bytes);
    deadline = std::min(Clock::now() + patience, last);
  }
  return {};
}

bool SocketStream::other_end_has_left() const {
  pollfd state{.fd = socket_.get(), .events = POLLRDHUP, .revents = 0};
  return ::poll(&state, 1, 0) > 0 && (state.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

bool SocketStream::is_stopping() const {
  pollfd state{.fd = stop_, .events = POLLIN, .revents = 0};
  return ::poll(&state, 1, 0) > 0;
}

void SocketStream::finish(std::chrono::milliseconds patience) {
  if (ssl_) {
    ::ERR_clear_error();
    (void)::SSL_shutdown(ssl_.get());
  }
  ::shutdown(socket_.get(), SHUT_WR);
  const auto deadline = Clock::now() + patience;
  std::array<char, 16384> unread{};
  // Below TLS: nobody looks at it any more.
  while (wait_for(POLLIN, deadline)) {
    const ssize_t got = ::recv(socket_.get(), unread.data(), unread.size(), MSG_DONTWAIT);
    if (got == 0 || (got < 0 && !is_later(errno)))
      return;
  }
}

SocketStream::Step SocketStream::read_step(std::span<char> into) {
  if (ssl_) {
    ::ERR_clear_error();
    return ssl_step(::SSL_read(ssl_.get(), into.data(), static_cast<int>(into.size())), POLLIN);
  }
  const ssize_t got = ::recv(socket_.get(), into.data(), into.size(), 0);
  if (got >= 0)
    return {.bytes = static_cast<std::size_t>(got)};
  return is_later(errno) ? Step{.wait = POLLIN} : Step{.error = errno};
}

SocketStream::Step SocketStream::write_step(std::string_view bytes) {
  if (ssl_) {
    ::ERR_clear_error();
    return ssl_step(::SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())), POLLOUT);
  }
  const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (sent >= 0)
    return {.bytes = static_cast<std::size_t>(sent)};
  return is_later(errno) ? Step{.wait = POLLOUT} : Step{.error = errno};
}

// `otherwise`: what an interrupted call waits for.
SocketStream::Step SocketStream::ssl_step(int result, short otherwise) {
  if (result > 0)
    return {.bytes = static_cast<std::size_t>(result)};
  const int err = errno;
  switch (::SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ: return {.wait = POLLIN};
    case SSL_ERROR_WANT_WRITE: return {.wait = POLLOUT};
    case SSL_ERROR_ZERO_RETURN: return {};
    case SSL_ERROR_SYSCALL: return err != 0 && is_later(err) ? Step{.wait = otherwise} : Step{.error = ECONNRESET};
    default: return {.error = ECONNRESET};
  }
}

Result<> SocketStream::wait_for(short events, Clock::time_point deadline) const {
  pollfd ready[] = {{.fd = socket_.get(), .events = events, .revents = 0},
                    {.fd = stop_, .events = POLLIN, .revents = 0}};
  const int got = ::poll(ready, 2, milliseconds_until(deadline));
  if (const int err = errno; got < 0 && err != EINTR)
    return fail(err, "wait for a connection");
  if (ready[1].revents != 0)
    return refuse(ECANCELED, "the agent ends");
  // Bytes that come late do not count: whoever goes on sending would have no end.
  if (got == 0 || Clock::now() >= deadline)
    return refuse(ETIMEDOUT, "the request did not come in time");
  return {};
}

}  // namespace skbtrail
