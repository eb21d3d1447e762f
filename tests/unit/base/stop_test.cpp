#include "base/stop.h"

#include <catch2/catch.hpp>

using namespace skbtrail;

TEST_CASE("nobody asked and no time is set: a trace goes on") {
  CHECK_FALSE(Stop{}.is_due(0));
  CHECK_FALSE(Stop{}.is_due(1'000'000'000'000'000'000));
}

TEST_CASE("a trace has to end from its time on") {
  Stop stop;
  stop.end_at(1000);
  CHECK_FALSE(stop.is_due(999));
  CHECK(stop.is_due(1000));
  CHECK(stop.is_due(1001));
}

TEST_CASE("a trace has to end when somebody asks, whatever time is left") {
  Stop stop;
  stop.end_at(1000);
  stop.request();
  CHECK(stop.is_due(0));
}
