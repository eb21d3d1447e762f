#include "sink/notation.h"

#include <arpa/inet.h>

#include <catch2/catch.hpp>
#include <random>

using namespace skbtrail;

namespace {

std::string text_of(const IpAddress& address) {
  TextBuffer out;
  put_address(out, address);
  return std::string(out.view());
}

IpAddress ip6(const char* text) {
  IpAddress address{.version = 6};
  REQUIRE(::inet_pton(AF_INET6, text, address.bytes) == 1);
  return address;
}

std::string duration(std::uint64_t nanoseconds) {
  TextBuffer out;
  put_duration(out, nanoseconds);
  return std::string(out.view());
}

std::string flags(std::uint8_t bits) {
  TextBuffer out;
  put_tcp_flags(out, bits);
  return std::string(out.view());
}

std::string tuple(const Tuple& value, bool with_flags = false) {
  TextBuffer out;
  put_tuple(out, value, with_flags);
  return std::string(out.view());
}

}  // namespace

TEST_CASE("no address is no text") {
  CHECK(text_of({}).empty());
}

TEST_CASE("IPv6 addresses are written in their shortest form") {
  for (const char* text : {"::", "::1", "1::", "fe80::1", "2001:db8::1:0:0:1", "1:0:0:2::3", "::ffff:10.9.0.1",
                           "1:2:3:4:5:6:7:8", "0:1:0:1:0:1:0:1", "fd00:10:244::42"})
    CHECK(text_of(ip6(text)) == text);
}

TEST_CASE("IPv6 addresses are written as the C library writes them") {
  std::mt19937 random(7);
  for (int round = 0; round < 5000; ++round) {
    IpAddress address{.version = 6};
    for (std::size_t group = 0; group < 8; ++group) {
      if (random() % 2 == 0)
        continue;
      address.bytes[2 * group] = static_cast<std::uint8_t>(random() % 3 == 0 ? random() : 0);
      address.bytes[2 * group + 1] = static_cast<std::uint8_t>(random());
    }
    address.bytes[0] = 0x20;  // the deprecated ::1.2.3.4 form is theirs alone
    char expected[INET6_ADDRSTRLEN];
    REQUIRE(::inet_ntop(AF_INET6, address.bytes, expected, sizeof(expected)) != nullptr);
    REQUIRE(text_of(address) == expected);
  }
}

TEST_CASE("durations have a unit and three digits behind the point") {
  CHECK(duration(0) == "0ns");
  CHECK(duration(999) == "999ns");
  CHECK(duration(13'590) == "13.590us");
  CHECK(duration(2'048'000) == "2.048ms");
  CHECK(duration(61'500'000'000) == "61.500s");
}

TEST_CASE("TCP flags are named") {
  CHECK(flags(0) == "none");
  CHECK(flags(0x12) == "SYN|ACK");
  CHECK(flags(0xff) == "FIN|SYN|RST|PSH|ACK|URG|ECE|CWR");
}

TEST_CASE("a tuple shows what is known and nothing else") {
  Tuple value{.source = {4, {10, 9, 0, 1}}, .destination = {4, {10, 9, 0, 2}}};
  CHECK(tuple(value) == "10.9.0.1->10.9.0.2");
  value.l4 = L4::Icmp;
  value.icmp_type = 8;
  CHECK(tuple(value) == "10.9.0.1->10.9.0.2(icmp echo request)");
  value.icmp_type = 42;
  value.icmp_code = 1;
  CHECK(tuple(value) == "10.9.0.1->10.9.0.2(icmp 42/1)");
  value = {.source = ip6("fd00::1"),
           .destination = ip6("fd00::2"),
           .l4 = L4::Tcp,
           .next_header = 6,
           .has_ports = true,
           .source_port = 1,
           .destination_port = 65535,
           .tcp_flags = 2};
  CHECK(tuple(value) == "[fd00::1]:1->[fd00::2]:65535(tcp)");
  CHECK(tuple(value, true) == "[fd00::1]:1->[fd00::2]:65535(tcp:SYN)");
  value.has_ports = false;
  value.fragment = true;
  CHECK(tuple(value) == "fd00::1->fd00::2(tcp fragment)");
  value.l4 = L4::Other;
  value.next_header = 253;
  value.fragment = false;
  CHECK(tuple(value) == "fd00::1->fd00::2(proto-253)");
}

TEST_CASE("dates are right across days, leap years and time zones") {
  DateText utc;
  CHECK(utc.of(0) == "1970-01-01T00:00:00");
  CHECK(utc.of(1'795'510'800) == "2026-11-24T09:00:00");
  CHECK(utc.of(1'709'164'799) == "2024-02-28T23:59:59");
  CHECK(utc.of(1'709'164'800) == "2024-02-29T00:00:00");
  DateText east(19'800);
  CHECK(east.of(1'795'510'800) == "2026-11-24T14:30:00");
}

TEST_CASE("a time far beyond the calendar does not break the date") {
  DateText utc;
  CHECK_FALSE(utc.of(static_cast<std::int64_t>(UINT64_MAX / 1'000'000'000)).empty());
}
