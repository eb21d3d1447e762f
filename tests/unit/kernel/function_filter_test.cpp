#include "kernel/function_filter.h"

#include <catch2/catch.hpp>

using namespace skbtrail;

namespace {

bool matches(std::string_view pattern, Anchoring anchoring, std::string_view name) {
  const auto filter = FunctionFilter::compile(pattern, anchoring);
  REQUIRE(filter);
  return filter->matches(name);
}

bool whole(std::string_view pattern, std::string_view name) {
  return matches(pattern, Anchoring::Whole, name);
}

bool anywhere(std::string_view pattern, std::string_view name) {
  return matches(pattern, Anchoring::Anywhere, name);
}

std::string message(std::string_view pattern) {
  const auto filter = FunctionFilter::compile(pattern, Anchoring::Whole);
  REQUIRE_FALSE(filter);
  CHECK(filter.error().code == EINVAL);
  return filter.error().message;
}

}  // namespace

TEST_CASE("a wrong pattern is refused in one line with the pattern and the cause") {
  CHECK(message("ip_(rcv") == "function pattern 'ip_(rcv': missing ): ip_(rcv");
  for (const auto* pattern : {"ip_)rcv", "[a-z", "*ip", "ip\\", "\\1", "[z-a]", "a{3,2}", "a**", "\xff"}) {
    CAPTURE(pattern);
    CHECK(message(pattern).find("function pattern '" + std::string(pattern) + "': ") == 0);
    CHECK(message(pattern).find('\n') == std::string::npos);
  }
}

TEST_CASE("a pattern that would grow without bound is refused") {
  (void)message("((a{99}){99}){99}");
  (void)message("a{1001}");
  CHECK(message(std::string(257, 'a')) == "function pattern is longer than 256 characters");
  CHECK(FunctionFilter::compile(std::string(256, 'a'), Anchoring::Whole));
  CHECK(message("") == "function pattern is empty");
  CHECK(message("ip\nrcv") == "function pattern has a control character in it");
}

TEST_CASE("a whole match covers the name from end to end") {
  CHECK(whole("ip_rcv", "ip_rcv"));
  CHECK_FALSE(whole("ip_rcv", "ip_rcv_core"));
  CHECK_FALSE(whole("ip_rcv", "__ip_rcv"));
  CHECK(whole("ip_.*|tcp_v4_rcv", "ip_rcv_core"));
  CHECK(whole("ip_.*|tcp_v4_rcv", "tcp_v4_rcv"));
  CHECK_FALSE(whole("ip_.*|tcp_v4_rcv", "tcp_v4_rcv_x"));
  CHECK(whole("^ip_rcv$", "ip_rcv"));
}

TEST_CASE("a match anywhere obeys its own anchors") {
  CHECK(anywhere("^nft_", "nft_do_chain"));
  CHECK_FALSE(anywhere("^nft_", "x_nft_do"));
  CHECK(anywhere("rcv", "ip_rcv_core"));
  CHECK(anywhere("_core$", "ip_rcv_core"));
  CHECK_FALSE(anywhere("_core$", "ip_core_rcv"));
  CHECK_FALSE(anywhere("xyz", "ip_rcv"));
}
