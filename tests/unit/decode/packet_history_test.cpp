#include "decode/packet_history.h"

#include <catch2/catch.hpp>

using namespace skbtrail;

namespace {

PacketId packet(std::uint64_t number) {
  return {.head = 0xffff888100000000 + number * 1024, .born_ns = 5};
}

}  // namespace

TEST_CASE("the first event of a packet has no time since the last one") {
  PacketHistory history;
  CHECK_FALSE(history.since_last(packet(1), 100));
}

TEST_CASE("events that arrive in the wrong order have no time between them") {
  PacketHistory history;
  history.since_last(packet(1), 100);
  CHECK_FALSE(history.since_last(packet(1), 90));
  CHECK(history.since_last(packet(1), 130) == 30U);
}

TEST_CASE("the time since the last event is counted for each packet") {
  PacketHistory history;
  history.since_last(packet(1), 100);
  history.since_last(packet(2), 150);
  CHECK(history.since_last(packet(1), 170) == 70U);
  CHECK(history.since_last(packet(2), 170) == 20U);
  CHECK(history.since_last(packet(1), 170) == 0U);
}

TEST_CASE("the same buffer used for another packet starts anew") {
  PacketHistory history;
  history.since_last({.head = 0x1000, .born_ns = 1}, 100);
  CHECK_FALSE(history.since_last({.head = 0x1000, .born_ns = 90}, 200));
}

TEST_CASE("a full history forgets the packet that was seen longest ago") {
  PacketHistory history(2);
  history.since_last(packet(1), 1);
  history.since_last(packet(2), 2);
  history.since_last(packet(1), 3);
  history.since_last(packet(3), 4);
  CHECK(history.since_last(packet(1), 5) == 2U);
  CHECK_FALSE(history.since_last(packet(2), 6));
}

TEST_CASE("a history that is full for long stays right") {
  PacketHistory history(100);
  for (std::uint64_t round = 0; round < 10'000; ++round)
    CHECK_FALSE(history.since_last(packet(round % 101), round));
  for (std::uint64_t round = 0; round < 200; ++round)
    history.since_last(packet(round % 100), 20'000 + round);
  CHECK(history.since_last(packet(0), 30'000) == 9'900U);
}
