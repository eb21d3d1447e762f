#include "api/socket_stream.h"

#include <sys/eventfd.h>
#include <sys/socket.h>

#include <catch2/catch.hpp>
#include <optional>
#include <string>
#include <thread>
#include <vector>

using namespace skbtrail;
using namespace std::chrono_literals;

namespace {

struct Pair {
  Pair() {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    stream.emplace(UniqueFd{ends[0]}, stop.get(), nullptr);
    other = UniqueFd{ends[1]};
  }

  UniqueFd stop{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::optional<SocketStream> stream;
  UniqueFd other;
};

}  // namespace

TEST_CASE("what comes after the time is over does not prolong it") {
  Pair pair;
  const std::string sent(50'000, 'x');
  REQUIRE(::send(pair.other.get(), sent.data(), sent.size(), 0) == static_cast<ssize_t>(sent.size()));
  pair.stream->finish(0ms);
  // None of it was taken: its time was over before.
  std::vector<char> left(sent.size() + 1);
  CHECK(::recv(pair.stream->fd(), left.data(), left.size(), 0) == static_cast<ssize_t>(sent.size()));
}

TEST_CASE("finishing ends with its time, whoever sends on, and at once when the other end closes") {
  Pair pair;
  const auto started = SocketStream::Clock::now();
  {
    const std::jthread sender{[&pair](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        (void)::send(pair.other.get(), "x", 1, MSG_NOSIGNAL);
        std::this_thread::yield();
      }
    }};
    pair.stream->finish(200ms);
    CHECK(SocketStream::Clock::now() - started >= 200ms);
    CHECK(SocketStream::Clock::now() - started < 10s);
  }
  pair.other.reset();
  const auto again = SocketStream::Clock::now();
  pair.stream->finish(60s);
  CHECK(SocketStream::Clock::now() - again < 30s);
}
