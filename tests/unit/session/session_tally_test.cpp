#include "session/session_tally.h"

#include <catch2/catch.hpp>
#include <string>

#include "support/event_builder.h"

using namespace skbtrail;
using namespace skbtrail::test;

TEST_CASE("the tally has the most frequent drops first, and no more than a status shows") {
  SessionTally tally{false};
  for (int kind = 0; kind < 8; ++kind)
    for (int times = 0; times <= kind; ++times) {
      EventBuilder event;
      event.at("place_" + std::to_string(kind)).dropped_because("NETFILTER_DROP");
      tally.accept(event);
    }
  EventBuilder hop;
  tally.accept(hop);
  CHECK(tally.drops() == 36);
  const auto top = tally.top_drops();
  REQUIRE(top.size() == NodeStatus::kMaxDrops);
  CHECK(top[0] == TopDrop{.reason = "NETFILTER_DROP", .function = "place_7", .count = 8});
  CHECK(top[4].count == 4);
  CHECK(tally.finish_paths().empty());
}

TEST_CASE("what nobody lost is no drop of the tally") {
  SessionTally tally{false};
  for (const auto& [place, reason] : {std::pair{"sk_stream_kill_queues", "QUEUE_PURGE"},
                                      std::pair{"tcp_v4_rcv", "SOCKET_CLOSE"}, std::pair{"icmp_rcv", "NO_SOCKET"}}) {
    EventBuilder event;
    event.at(place).dropped_because(reason);
    tally.accept(event);
  }
  CHECK(tally.drops() == 0);
  CHECK(tally.top_drops().empty());
  EventBuilder lost;
  lost.at("udp_rcv").dropped_because("NO_SOCKET");
  tally.accept(lost);
  CHECK(tally.drops() == 1);
}

TEST_CASE("the tally tells the ways of packets, the longest cut to their last functions") {
  SessionTally tally{true};
  for (int packet = 1; packet <= 3; ++packet)
    for (int step = 0; step < 30; ++step) {
      EventBuilder event;
      event.of_packet(static_cast<std::uint64_t>(packet)).at("step_" + std::to_string(step));
      event.event().function_address = 0x1000 + static_cast<std::uint64_t>(step);
      tally.accept(event);
    }
  const auto paths = tally.finish_paths();
  REQUIRE(paths.size() == 1);
  CHECK(paths[0].packets == 3);
  REQUIRE(paths[0].functions.size() == TopPath::kMaxFunctions);
  CHECK(paths[0].functions.front() == "step_6");
  CHECK(paths[0].functions.back() == "step_29");
  CHECK(paths[0].end == "last-seen");
}
