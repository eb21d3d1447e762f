#include "kube/outage.h"

#include <catch2/catch.hpp>

using namespace skbtrail;
using namespace std::chrono_literals;

TEST_CASE("an outage lasts until all had their time to come back") {
  const Outage::Time start{1h};
  Outage outage{30s};
  outage.look(true, start);
  CHECK(outage.length(start) == 0s);
  outage.look(false, start + 10s);
  outage.look(false, start + 20s);
  CHECK(outage.length(start + 20s) == 10s);
  outage.look(true, start + 40s);
  outage.look(true, start + 69s);
  CHECK(outage.length(start + 69s) == 59s);
  outage.look(true, start + 70s);
  CHECK(outage.length(start + 70s) == 0s);
}

TEST_CASE("an outage that comes again is the same one") {
  const Outage::Time start{1h};
  Outage outage{30s};
  outage.look(false, start);
  outage.look(true, start + 10s);
  outage.look(false, start + 20s);
  outage.look(true, start + 45s);
  outage.look(true, start + 74s);
  CHECK(outage.length(start + 74s) == 74s);
  outage.look(true, start + 75s);
  CHECK(outage.length(start + 75s) == 0s);
}
