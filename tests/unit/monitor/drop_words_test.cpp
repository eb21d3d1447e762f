#include "monitor/drop_words.h"

#include <netinet/in.h>

#include <catch2/catch.hpp>

namespace skbtrail {
namespace {

TEST_CASE("protocols have words, and what has none is other") {
  CHECK(protocol_word(0x0800, IPPROTO_UDP) == "udp");
  CHECK(protocol_word(0x86DD, IPPROTO_SCTP) == "sctp");
  CHECK(protocol_word(0x86DD, IPPROTO_ICMPV6) == "icmpv6");
  CHECK(protocol_word(0x0800, 253) == "other");
  CHECK(protocol_word(0x0806, 0) == "arp");
  CHECK(protocol_word(0, 0) == "other");
}

TEST_CASE("the direction is the pod's, also when the node's end of its link dropped the packet") {
  CHECK(direction_word(MONITOR_INGRESS, false) == "ingress");
  CHECK(direction_word(MONITOR_INGRESS, true) == "egress");
  CHECK(direction_word(MONITOR_EGRESS, true) == "ingress");
  CHECK(direction_word(MONITOR_EGRESS, false) == "egress");
  CHECK(direction_word(MONITOR_DIRECTION_UNKNOWN, false).empty());
}

TEST_CASE("only what was not lost is a normal end") {
  CHECK_FALSE(is_normal_end({.name = "NO_SOCKET", .subsystem = "core"}, "f", MONITOR_INGRESS));
  CHECK_FALSE(is_normal_end({.name = "NOT_SPECIFIED", .subsystem = "core"}, "f", MONITOR_EGRESS));
  CHECK_FALSE(is_normal_end({.name = "QUEUE_PURGE", .subsystem = "mac80211"}, "f", MONITOR_EGRESS));
  CHECK(is_normal_end({.name = "QUEUE_PURGE", .subsystem = "core"}, "f", MONITOR_EGRESS));
  CHECK(is_normal_end({.name = "SKB_CONSUMED", .subsystem = "core"}, "f", MONITOR_INGRESS));
  CHECK(is_normal_end({.name = "NOT_SPECIFIED", .subsystem = "core"}, "f", MONITOR_NO_NETWORK));
  CHECK(is_normal_end({.name = "NO_SOCKET", .subsystem = "core"}, "ping_rcv", MONITOR_INGRESS));
  CHECK(is_normal_end({.name = "NOT_SPECIFIED", .subsystem = "core"}, "icmpv6_rcv", MONITOR_INGRESS));
  CHECK_FALSE(is_normal_end({.name = "ICMP_CSUM", .subsystem = "core"}, "icmp_rcv", MONITOR_INGRESS));
}

}  // namespace
}  // namespace skbtrail
