#include "monitor/softnet.h"

#include <catch2/catch.hpp>

namespace skbtrail {
namespace {

TEST_CASE("what is no line of numbers is refused") {
  CHECK_FALSE(parse_softnet("0000 xyz 1\n"));
  CHECK_FALSE(parse_softnet("0000 0001\n"));
}

TEST_CASE("CPUs are added up, with and without the later columns") {
  const auto counts = parse_softnet(
      "00000a0b 00000002 00000010 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000001 0000 0001\n"
      "00000000 0000000f 00000001\n");
  REQUIRE(counts);
  CHECK(counts->dropped == 17);
  CHECK(counts->squeezed == 17);
  CHECK(counts->flow_limit == 1);
}

}  // namespace
}  // namespace skbtrail
