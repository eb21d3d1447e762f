#include "kernel/drop_reasons.h"

#include <catch2/catch.hpp>

#include "unit/kernel/test_btf.h"
#include "unit/kernel/test_host.h"

using namespace skbtrail;

namespace {

TestBtf kernel_with_reasons() {
  TestBtf types;
  types.enumeration("skb_drop_reason", {{"SKB_NOT_DROPPED_YET", 0},
                                        {"SKB_CONSUMED", 1},
                                        {"SKB_DROP_REASON_NOT_SPECIFIED", 2},
                                        {"SKB_DROP_REASON_NETFILTER_DROP", 8},
                                        {"SKB_DROP_REASON_MAX", 9},
                                        {"SKB_DROP_REASON_SUBSYS_MASK", 0xffff0000}});
  types.enumeration("skb_drop_reason_subsys", {{"SKB_DROP_REASON_SUBSYS_CORE", 0},
                                               {"SKB_DROP_REASON_SUBSYS_MAC80211_UNUSABLE", 1},
                                               {"SKB_DROP_REASON_SUBSYS_OPENVSWITCH", 2},
                                               {"SKB_DROP_REASON_SUBSYS_NUM", 3}});
  return types;
}

int tracepoint(TestBtf& types, std::initializer_list<int> parameters) {
  return btf__add_typedef(types.get(), "btf_trace_kfree_skb", types.pointer_to(types.prototype(0, parameters)));
}

DropReasons reasons_of(const TestBtf& types) {
  DropReasons reasons;
  reasons.add(*types.get());
  return reasons;
}

}  // namespace

TEST_CASE("a kernel without drop reasons knows none and names none") {
  const auto reasons = reasons_of(TestBtf{});
  CHECK(reasons.size() == 0);
  CHECK(reasons.subsystems().empty());
  CHECK(reasons.lookup(2) == DropReasonName{"UNKNOWN_2", "unknown"});
}

TEST_CASE("the end of the list and the mask are no reasons") {
  const auto reasons = reasons_of(kernel_with_reasons());
  CHECK(reasons.lookup(9) == DropReasonName{"UNKNOWN_9", "core"});
  CHECK(reasons.lookup(0xffff0000) == DropReasonName{"UNKNOWN_4294901760", "unknown"});
}

TEST_CASE("a value of an unknown subsystem, or unknown in a known one, stays a number") {
  const auto reasons = reasons_of(kernel_with_reasons());
  CHECK(reasons.lookup((7 << 16) | 1) == DropReasonName{"UNKNOWN_458753", "unknown"});
  CHECK(reasons.lookup((2 << 16) | 1) == DropReasonName{"UNKNOWN_131073", "openvswitch"});
}

TEST_CASE("reasons of the core lose their prefix") {
  const auto reasons = reasons_of(kernel_with_reasons());
  CHECK(reasons.lookup(2) == DropReasonName{"NOT_SPECIFIED", "core"});
  CHECK(reasons.lookup(8) == DropReasonName{"NETFILTER_DROP", "core"});
  CHECK(reasons.lookup(0) == DropReasonName{"SKB_NOT_DROPPED_YET", "core"});
}

TEST_CASE("reasons of other subsystems come from their own enums, 64 bits wide as well") {
  auto types = kernel_with_reasons();
  types.enumeration("ovs_drop_reason", {{"__OVS_DROP_REASON", 2 << 16}, {"OVS_DROP_EXPLICIT", (2 << 16) | 2}});
  types.enumeration("unrelated_drop_reason", {{"SMALL", 8}});
  btf__add_enum64(types.get(), "mac80211_drop_reason", 8, false);
  btf__add_enum64_value(types.get(), "RX_DROP_U_REPLAY", (1 << 16) | 3);
  btf__add_enum64_value(types.get(), "TOO_WIDE", 1ULL << 40 | 3);
  const auto reasons = reasons_of(types);
  CHECK(reasons.lookup((2 << 16) | 2) == DropReasonName{"OVS_DROP_EXPLICIT", "openvswitch"});
  CHECK(reasons.lookup((1 << 16) | 3) == DropReasonName{"RX_DROP_U_REPLAY", "mac80211_unusable"});
  CHECK(reasons.lookup(2 << 16).name == "UNKNOWN_131072");
  CHECK(reasons.lookup(8).name == "NETFILTER_DROP");
}

TEST_CASE("reasons of a subsystem that is a module come from the module's types") {
  const auto base = kernel_with_reasons();
  TestBtf module = base.module();
  module.enumeration("ovs_drop_reason", {{"OVS_DROP_LAST_ACTION", (2 << 16) | 1}});
  TestHost host;
  host.with("/sys/kernel/btf/vmlinux", base.bytes())
      .with("/sys/kernel/btf/openvswitch", module.bytes())
      .with("/sys/kernel/btf/open", "not read: it owns no subsystem")
      .with("/sys/kernel/btf/mac80211", "broken");
  const auto kernel = KernelBtf::load(host.root(), {});
  REQUIRE(kernel);
  const auto reasons = DropReasons::read(host.root(), *kernel);
  CHECK(reasons.lookup((2 << 16) | 1) == DropReasonName{"OVS_DROP_LAST_ACTION", "openvswitch"});
}

TEST_CASE("the tracepoint's type says whether a reason comes with the packet") {
  TestBtf none;
  CHECK_FALSE(kfree_skb_arguments(*none.get()).reason);

  TestBtf before;
  tracepoint(before, {before.void_pointer, before.skb, before.void_pointer});
  CHECK_FALSE(kfree_skb_arguments(*before.get()).reason);

  TestBtf with_reason;
  tracepoint(with_reason, {with_reason.void_pointer, with_reason.skb, with_reason.void_pointer, with_reason.integer});
  CHECK(kfree_skb_arguments(*with_reason.get()).reason);
  CHECK_FALSE(kfree_skb_arguments(*with_reason.get()).rx_socket);

  TestBtf with_socket;
  tracepoint(with_socket, {with_socket.void_pointer, with_socket.skb, with_socket.void_pointer, with_socket.integer,
                           with_socket.void_pointer});
  CHECK(kfree_skb_arguments(*with_socket.get()).rx_socket);
}
