#include "sink/patience.h"

#include <catch2/catch.hpp>

using namespace skbtrail;

namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

}  // namespace

TEST_CASE("while a trace goes on, its reader may take any time") {
  const Stop stop;
  Patience patience;
  CHECK_FALSE(patience.is_over(stop, 1, 1000 * kSecond));
}

TEST_CASE("a reader that stood still before the end has a second from then on") {
  Stop stop;
  stop.end_at(100 * kSecond);
  Patience patience;
  CHECK_FALSE(patience.is_over(stop, 1, 99 * kSecond));
  CHECK_FALSE(patience.is_over(stop, 1, 100 * kSecond));
  CHECK_FALSE(patience.is_over(stop, 1, 101 * kSecond - 1));
  CHECK(patience.is_over(stop, 1, 101 * kSecond));
}

TEST_CASE("a reader that goes on is waited for, but not for ever") {
  Stop stop;
  stop.request();
  Patience patience;
  std::uint64_t now = 10 * kSecond;
  for (; now < 15 * kSecond; now += kSecond / 2)
    CHECK_FALSE(patience.is_over(stop, now - kSecond / 2, now));
  CHECK(patience.is_over(stop, now - kSecond / 2, now));
}
