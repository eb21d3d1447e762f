#include "app/units.h"

#include <catch2/catch.hpp>

using namespace skbtrail;
using namespace std::chrono_literals;

TEST_CASE("what is no time is refused with an example of one") {
  for (const auto* text : {"", "s", "-1s", "1.5s", "1 s", "10parsecs", "0x10", "9223372036854775808", "99999999999h"}) {
    INFO(text);
    const auto time = parse_duration(text);
    REQUIRE_FALSE(time);
    CHECK(time.error().code == EINVAL);
    CHECK(time.error().message.find("such as 30s") != std::string::npos);
  }
}

TEST_CASE("times have units, and a bare number is seconds") {
  CHECK(*parse_duration("0") == 0s);
  CHECK(*parse_duration("90") == 90s);
  CHECK(*parse_duration("20ns") == 20ns);
  CHECK(*parse_duration("7us") == 7us);
  CHECK(*parse_duration("500ms") == 500ms);
  CHECK(*parse_duration("60s") == 60s);
  CHECK(*parse_duration("5m") == 5min);
  CHECK(*parse_duration("168h") == 168h);
}

TEST_CASE("what is no size is refused with an example of one") {
  for (const auto* text : {"", "M", "-1", "1.5M", "16MB", "16m", "18446744073709551616", "99999999999G"}) {
    INFO(text);
    const auto size = parse_size(text);
    REQUIRE_FALSE(size);
    CHECK(size.error().message.find("such as 16M") != std::string::npos);
  }
}

TEST_CASE("sizes have binary units") {
  CHECK(*parse_size("0") == 0);
  CHECK(*parse_size("65536") == 65536);
  CHECK(*parse_size("64K") == 65536);
  CHECK(*parse_size("16M") == 16U << 20);
  CHECK(*parse_size("1G") == 1U << 30);
}

TEST_CASE("a mark that is no number, too large or that cannot match is refused with an example") {
  for (const auto* text : {"", "0x", "x10", "-1", "4294967296", "0x100000000", "1/", "/1", "1/0", "1/2/3", "1 "}) {
    INFO(text);
    const auto mark = parse_mark(text);
    REQUIRE_FALSE(mark);
    CHECK(mark.error().code == EINVAL);
    CHECK(mark.error().message.find("such as 0x10/0xff") != std::string::npos);
  }
}

TEST_CASE("a mark alone counts with all its bits, and a mask cuts the mark") {
  CHECK(parse_mark("16")->value == 16);
  CHECK(parse_mark("16")->mask == 0xffffffff);
  CHECK(parse_mark("0XfF/0x0f")->value == 0x0f);
  CHECK(parse_mark("0xff/15")->mask == 15);
  CHECK(parse_mark("0")->mask == 0xffffffff);
}
