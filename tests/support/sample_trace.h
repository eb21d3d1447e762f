#pragma once
// A made-up trace with everything in it: a request that a netfilter rule drops, a ping over IPv6, a clone, a child,
// ARP, a gap, and a drop on a kernel without reasons. For golden output, the schema check, and for looking at.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "decode/decoder.h"
#include "decode/packet_history.h"
#include "sink/sink.h"
#include "support/record_builder.h"

namespace skbtrail::test {

class SampleTrace {
public:
  // Hands the whole trace to `sink`, flushed and finished.
  void play(Sink& sink) {
    sink_ = &sink;
    request_that_is_dropped();
    ping_over_ip6();
    segments_of_a_large_send();
    sink.accept(LossEvent{.realtime_ns = kBoot + now_, .cause = LossCause::Ring, .count = 1204});
    neighbours();
    bpf_program();
    call_of_a_program();
    frame();
    drop_on_an_old_kernel();
    if (!sink.flush() || !sink.finish())
      std::abort();
  }

private:
  static constexpr std::uint64_t kBoot = 1'795'510'800'000'000'000;  // 2026-11-24T09:00:00Z

  std::uint64_t address_of(const std::string& name, std::uint64_t offset, const std::string& module = {}) {
    const std::uint64_t address = 0xffffffff81000000 + symbols_.known.size() * 0x100;
    symbols_.known[address] = {.name = name, .offset = offset, .module = module};
    return address;
  }

  void hit(RecordBuilder record, std::uint64_t function, std::uint64_t nanoseconds) {
    now_ += nanoseconds;
    record.raw.time_ns = now_;
    record.at(function);
    if (!decoder_.decode(record.bytes(), event_))
      std::abort();
    ++event_.sequence;
    event_.delta_ns = history_.since_last(event_.packet, event_.monotonic_ns);
    event_.pod = pod_at(event_);
    event_.source_pod = event_.tuple && event_.tuple->source.version == 4 ? &pod_ : nullptr;
    sink_->accept(event_);
  }

  // With its bytes from the network header on, as before there is a link header.
  static RecordBuilder with_own_bytes(RecordBuilder record) {
    return record.with_bytes({record.raw.l3, record.raw.l3 + record.raw.l3_len}, false, TRACE_L3_BYTES);
  }

  // The pod lives in one namespace, its link's other end is on the node.
  PodAt pod_at(const PacketEvent& event) const {
    if (event.netns == 4026532165)
      return {.pod = &pod_, .side = PodSide::Inside};
    return event.ifname.view() == "veth7c1e22a9" ? PodAt{.pod = &pod_, .side = PodSide::Host} : PodAt{};
  }

  RecordBuilder packet(std::uint64_t number) {
    auto record = a_record().on_device(3, "eth0", 1500).in_netns(4026532165).with_comm("curl");
    record.raw.head = 0xffff888105740000 + number * 4096;
    record.raw.born_ns = 123'456'789 + number;
    record.raw.skb = 0xffff88810574e700 + number * 256;
    record.raw.pid = 4711;
    record.raw.cpu = 1;
    return record;
  }

  void request_that_is_dropped() {
    auto request = with_own_bytes(packet(1).with_tcp(40512, 80));
    request.raw.len = 60;
    request.called_from(address_of("ip_queue_xmit", 0x49));
    for (const auto* name : {"ip_local_out", "__ip_local_out", "nf_hook_slow", "ip_output", "ip_finish_output2",
                             "__dev_queue_xmit", "dev_hard_start_xmit", "veth_xmit"}) {
      hit(request, address_of(name, 0), 1'240);
      request.raw.flags &= ~TRACE_FIRST;
      request.raw.caller = 0;
    }
    request.on_device(12, "veth7c1e22a9", 1500).in_netns(4026531840).with_comm("ksoftirqd/1");
    request.raw.pid = 21;
    request.raw.len = 74;
    for (const auto* name : {"__netif_receive_skb_one_core", "ip_rcv", "ip_rcv_core", "nf_hook_slow"})
      hit(request, address_of(name, 0), 2'310);
    hit(request, address_of("nf_conntrack_in", 0, "nf_conntrack"), 900);
    hit(request, address_of("nft_do_chain", 0, "nf_tables"), 610);
    reasons_.known[8] = {.name = "NETFILTER_DROP", .subsystem = "core"};
    request.with_stack({address_of("nf_hook_slow", 0x9f), address_of("ip_rcv", 0x8d),
                        address_of("__netif_receive_skb_one_core", 0x8f), address_of("process_backlog", 0x87)});
    hit(request.dropped_because(8), address_of("nf_hook_slow", 0x9f), 480);
  }

  void ping_over_ip6() {
    auto ping = with_own_bytes(packet(2).with_packet(0x86dd, ip6(58, icmp(128, 0))).with_comm("ping"));
    ping.raw.len = 104;
    for (const auto* name : {"ip6_output", "ip6_finish_output2"})
      hit(ping, address_of(name, 0), 3'100);
    ping.raw.skb += 128;  // a clone keeps the identity
    hit(ping, address_of("packet_rcv", 0, "af_packet"), 800);
    hit(ping, address_of("consume_skb", 0), 1'000);
  }

  void segments_of_a_large_send() {
    decoder_.set_value_forms({{.name = "skb->gso_size"}, {.name = "skb->sk", .kind = ValueKind::Pointer}});
    auto parent = packet(3).with_packet(0x86dd, ip6(6, tcp(50122, 443, 0x18)));
    parent.raw.len = 29'000;
    parent.with_values(0b10, {0, 0xffff888103210000});
    hit(parent, address_of("skb_segment", 0), 2'000);
    auto segment = packet(4).with_packet(0x86dd, ip6(6, tcp(50122, 443, 0x10)));
    segment.child_of(parent.raw.head, parent.raw.born_ns);
    segment.raw.len = 1'500;
    hit(segment, address_of("dev_hard_start_xmit", 0), 2'500'000);
  }

  void neighbours() {
    const PacketBytes arp = {0, 1, 8, 0, 6, 4, 0, 1, 2, 2, 2, 2, 2, 2, 10, 9, 0, 1, 0, 0, 0, 0, 0, 0, 10, 9, 0, 2};
    auto question = packet(5).with_packet(0x0806, arp).with_comm("swapper/0");
    question.raw.pid = 0;
    question.raw.mark = 0x4000;
    hit(question, address_of("arp_rcv", 0), 1'000);
  }

  void bpf_program() {
    decoder_.set_programs(&programs_);
    auto request = packet(6).with_tcp(40514, 80);
    request.raw.flags |= TRACE_FIRST;
    hit(request.at_program(12), 0, 1'000);
    request.raw.flags &= ~TRACE_FIRST;
    hit(request.at_program(12, 2), 0, 700);
  }

  // Looks something up in a map, finds it, and deletes what it has found.
  void call_of_a_program() {
    auto call = packet(6).called_from(address_of("to_host", 0x4c, "bpf"));
    call.raw.skb = 0;
    for (const auto operation : {TRACE_MAP_LOOKUP, TRACE_MAP_DELETE}) {
      auto about_a_map = call;
      about_a_map.with_map(operation, {10, 9, 0, 2},
                           operation == TRACE_MAP_LOOKUP ? PacketBytes{1, 0, 0, 0, 0, 0, 0, 0} : PacketBytes{});
      hit(about_a_map, address_of("htab_map_lookup_elem", 0), 300);
    }
  }

  void frame() {
    auto bare = packet(7).with_tcp(40516, 80);
    bare.raw.skb = 0;
    bare.raw.flags |= TRACE_FIRST | TRACE_IS_FRAME;
    hit(bare.at_program(13), 0, 1'000);
    bare.raw.flags = (bare.raw.flags & ~TRACE_FIRST) | TRACE_BY_XDP;
    hit(bare.at_program(13, 2), 0, 700);
    auto born = packet(7).with_tcp(40516, 80);
    born.raw.flags |= TRACE_BY_XDP;
    hit(born, address_of("ip_rcv", 0), 2'000);
  }

  void drop_on_an_old_kernel() {
    auto lost = a_record().with_comm("\x1b[31m\xff\"evil\\").dropped();
    lost.raw.head = 0xffff888100001000;
    hit(lost, 0xffffffffc0de0000, 1'000);
  }

  const Pod pod_{.namespace_name = "shop", .name = "web-0", .uid = "0f3c5b0e-6a1d-4a39-9c1e-1b2c3d4e5f60"};
  FakeSymbols symbols_;
  FakeReasons reasons_;
  FakePrograms programs_;
  Decoder decoder_{symbols_, reasons_, static_cast<std::int64_t>(kBoot)};
  PacketHistory history_;
  PacketEvent event_;
  Sink* sink_ = nullptr;
  std::uint64_t now_ = 123'456'789;
};

}  // namespace skbtrail::test
