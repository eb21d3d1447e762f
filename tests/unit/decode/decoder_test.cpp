#include "decode/decoder.h"

#include <catch2/catch.hpp>
#include <cstddef>
#include <cstring>

#include "support/record_builder.h"

using namespace skbtrail;
using namespace skbtrail::test;

namespace {

// A decoder with what it needs, and the event it fills.
struct Bench {
  FakeSymbols symbols;
  FakeReasons reasons;
  Decoder decoder{symbols, reasons, 500};
  PacketEvent event;

  std::string error_of(const std::vector<std::byte>& record) {
    const auto done = decoder.decode(record, event);
    return done ? "no error" : done.error().message;
  }
  const PacketEvent& decoded(const RecordBuilder& record) {
    REQUIRE(error_of(record.bytes()) == "no error");
    return event;
  }
};

}  // namespace

TEST_CASE("the decoder refuses an empty record") {
  CHECK(Bench().error_of({}) == "decode record: 0 bytes are too few, 264 are needed");
}

TEST_CASE("the decoder refuses a truncated record") {
  auto bytes = a_record().bytes();
  bytes.pop_back();
  CHECK(Bench().error_of(bytes) == "decode record: 263 bytes are too few, 264 are needed");
}

TEST_CASE("the decoder refuses a record that lies about its size") {
  auto record = a_record();
  record.raw.size = 4096;
  CHECK(Bench().error_of(record.bytes()) == "decode record: it says 4096 bytes and has 264");
  auto longer = a_record().bytes();
  longer.resize(longer.size() + 8);
  CHECK(Bench().error_of(longer) == "decode record: it says 264 bytes and has 272");
}

TEST_CASE("a record without a socket's cgroup has none, and one with it has its id") {
  Bench bench;
  CHECK_FALSE(bench.decoded(a_record()).cgroup_id);
  CHECK(bench.decoded(a_record().of_cgroup(4711)).cgroup_id == 4711);
}

TEST_CASE("a record of a kernel's socket says so, and the next one does not") {
  Bench bench;
  CHECK(bench.decoded(a_record().of_kernel_socket()).of_kernel_socket);
  CHECK_FALSE(bench.decoded(a_record()).of_kernel_socket);
}

TEST_CASE("the decoder refuses a record of a type it does not know") {
  auto record = a_record();
  for (const __u16 type : {__u16{0}, __u16{5}}) {
    record.raw.type = type;
    CHECK(Bench().error_of(record.bytes()) == "decode record: unknown type " + std::to_string(type));
  }
}

TEST_CASE("the decoder refuses a BPF program that nobody traces") {
  CHECK(Bench().error_of(a_record().at_program(7).bytes()) ==
        "decode record: it names BPF program 7, which is not traced");
}

TEST_CASE("a BPF program has its name, its id and, at its exit, its verdict") {
  Bench bench;
  FakePrograms programs;
  bench.decoder.set_programs(&programs);
  const auto& entry = bench.decoded(a_record().at_program(12));
  CHECK(entry.type == EventType::Hop);
  CHECK(entry.function->name == "to_host");
  CHECK(entry.function->module == "bpf");
  REQUIRE(entry.program);
  CHECK(entry.program->program->id == 12);
  CHECK_FALSE(entry.program->verdict);
  const auto& exit = bench.decoded(a_record().at_program(12, -1));
  CHECK(exit.program.value().verdict == -1);
  CHECK_FALSE(bench.decoded(a_record()).program);
}

TEST_CASE("an event says why it is there") {
  Bench bench;
  CHECK(bench.decoded(a_record()).tracked_by == TrackedBy::Skb);
  auto first = a_record();
  first.raw.flags |= TRACE_FIRST;
  CHECK(bench.decoded(first).tracked_by == TrackedBy::Filter);
  auto born = a_record();
  born.raw.flags |= TRACE_BY_XDP;
  CHECK(bench.decoded(born).tracked_by == TrackedBy::Xdp);
  auto made = a_record();
  made.raw.flags |= TRACE_BY_STACK;
  CHECK(bench.decoded(made).tracked_by == TrackedBy::Stack);
  CHECK_FALSE(bench.decoded(made).is_call);
  made.raw.flags |= TRACE_IS_CALL;
  CHECK(bench.decoded(made).is_call);
}

TEST_CASE("a call of a BPF program is told with the element of a map that it is about, before any stack") {
  Bench bench;
  const auto& event =
      bench.decoded(a_record().with_map(TRACE_MAP_FIND, {10, 0, 0, 1}, {1, 2}).with_stack({0x1000, 0x2000}));
  REQUIRE(event.map);
  CHECK(event.map->id == 7);
  CHECK(event.map->name == "flows");
  CHECK(event.map->operation == MapOperation::Find);
  CHECK(event.map->found);
  CHECK(event.map->key_size == 4);
  CHECK(event.map->value_size == 8);
  CHECK(event.map->key == std::vector<std::uint8_t>{10, 0, 0, 1});
  CHECK(event.map->value == std::vector<std::uint8_t>{1, 2});
  CHECK(event.stack.size() == 2);
  CHECK_FALSE(bench.decoded(a_record()).map);
}

TEST_CASE("the decoder believes nothing that a record says of a map") {
  const auto record = a_record().with_map(TRACE_MAP_UPDATE, {1}, {2});
  auto unknown = record;
  unknown.map.operation = 5;
  CHECK(Bench().error_of(unknown.bytes()) == "decode record: unknown operation 5 on a map");
  auto too_long = record;
  too_long.map.key_bytes = 257;
  CHECK(Bench().error_of(too_long.bytes()) == "decode record: a key of 257 and a value of 1 bytes, of at most 256");
  auto of_a_packet = record;
  of_a_packet.raw.flags &= ~static_cast<__u32>(TRACE_IS_CALL);
  CHECK(Bench().error_of(of_a_packet.bytes()) == "decode record: what it says of a map ends behind it");
  auto cut = a_record();
  cut.raw.flags |= TRACE_IS_CALL | TRACE_HAS_MAP;
  auto bytes = cut.bytes();
  bytes.resize(sizeof(trace_record));
  CHECK(Bench().error_of(bytes) == "decode record: what it says of a map ends behind it");
}

TEST_CASE("values at XDP programs are those that were asked for there") {
  Bench bench;
  FakePrograms programs;
  bench.decoder.set_programs(&programs);
  bench.decoder.set_value_forms({{.name = "skb->len"}});
  bench.decoder.set_xdp_value_forms({{.name = "xdp->data"}, {.name = "xdp->data_end"}});
  auto frame = a_record().at_program(13).with_values(0b11, {1, 2});
  frame.raw.flags |= TRACE_IS_FRAME;
  const auto& values = bench.decoded(frame).values;
  REQUIRE(values.size() == 2);
  CHECK(values[1].form->name == "xdp->data_end");
  CHECK(bench.decoded(a_record().with_values(1, {5})).values[0].form->name == "skb->len");
}

TEST_CASE("the decoder refuses more packet bytes than the record has room for") {
  auto record = a_record();
  record.raw.l3_len = 97;
  CHECK(Bench().error_of(record.bytes()) == "decode record: it claims 97 packet bytes of at most 96");
}

TEST_CASE("the decoder refuses a stack that is not a list of addresses") {
  auto record = a_record().with_stack({1, 2});
  record.raw.stack_len = 12;
  CHECK(Bench().error_of(record.bytes()) == "decode record: its stack of 12 bytes is not a list of addresses");
}

TEST_CASE("the decoder refuses a stack that ends behind the record") {
  auto record = a_record().with_stack({1, 2});
  record.raw.stack_len = 24;
  CHECK(Bench().error_of(record.bytes()) == "decode record: its stack of 24 bytes ends behind it");
}

TEST_CASE("the decoder refuses values that end behind the record") {
  auto record = a_record();
  record.raw.flags |= TRACE_HAS_VALUES;
  auto bytes = record.bytes();
  bytes.resize(sizeof(trace_record));
  CHECK(Bench().error_of(bytes) == "decode record: its values end behind it");
}

TEST_CASE("values are told by expression, and those that could not be read are unknown") {
  Bench bench;
  bench.decoder.set_value_forms({{.name = "skb->mark"}, {.name = "skb->dev->mtu", .kind = ValueKind::Signed}});
  const auto& event = bench.decoded(a_record().with_values(0b01, {7, 1500, 9, 9}));
  REQUIRE(event.values.size() == 2);
  CHECK(event.values[0].form->name == "skb->mark");
  CHECK(event.values[0].value == 7);
  CHECK_FALSE(event.values[1].value);
  bench.decoded(a_record());
  CHECK(event.values.empty());
}

TEST_CASE("a stack stands behind the values") {
  Bench bench;
  bench.decoder.set_value_forms({{.name = "skb->mark"}});
  const auto& event = bench.decoded(a_record().with_values(1, {7}).with_stack({0x1000, 0x2000}));
  CHECK(event.values.at(0).value == 7);
  REQUIRE(event.stack.size() == 2);
  CHECK(event.stack[0]->name == "0x1000");
}

TEST_CASE("the decoder refuses packet bytes that end behind the record") {
  auto record = a_record().with_bytes(PacketBytes(20), true);
  record.frame.room = 4096;
  CHECK(Bench().error_of(record.bytes()) == "decode record: its 20 packet bytes of 4096 end behind it");
  record = a_record().with_bytes(PacketBytes(20), true);
  record.frame.captured = 65;
  CHECK(Bench().error_of(record.bytes()) == "decode record: its 65 packet bytes of 64 end behind it");
  record = a_record();
  record.raw.flags |= TRACE_HAS_BYTES;
  record.raw.size += 8;
  auto bytes = record.bytes();
  bytes.resize(sizeof(trace_record) + 8);
  CHECK(Bench().error_of(bytes) == "decode record: the head of its packet bytes ends behind it");
}

TEST_CASE("a frame with its link header is taken as it is") {
  Bench bench;
  PacketBytes captured(14, 0xaa);
  captured.push_back(0x45);
  auto record = a_record().with_bytes(captured, true).with_stack({0x1000});
  record.frame.length = 1514;
  const auto& event = bench.decoded(record);
  CHECK(event.frame.bytes == captured);
  CHECK(event.frame.length == 1514);
  CHECK(event.stack.size() == 1);
  bench.decoded(a_record());
  CHECK(event.frame.bytes.empty());
}

TEST_CASE("a packet without a link header gets one of zeros and its EtherType") {
  Bench bench;
  auto record = a_record().with_packet(0x86dd, ip6(58, icmp(128, 0))).with_bytes({0x60, 1, 2}, false);
  record.frame.length = 48;
  const auto& event = bench.decoded(record);
  CHECK(event.frame.bytes == PacketBytes{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x86, 0xdd, 0x60, 1, 2});
  CHECK(event.frame.length == 48 + 14);
}

TEST_CASE("a tag that the kernel keeps beside the frame goes back into it") {
  Bench bench;
  PacketBytes captured = {1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 8, 0, 0x45};
  const auto& event = bench.decoded(a_record().with_bytes(captured, true).tagged(0x2007));
  CHECK(event.frame.bytes == PacketBytes{1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 0x81, 0, 0x20, 7, 8, 0, 0x45});
  CHECK(event.frame.length == 19);
}

TEST_CASE("the decoder goes on after a record that it refused") {
  Bench bench;
  CHECK(bench.error_of({}) != "no error");
  CHECK(bench.decoded(a_record()).length == 84);
}

TEST_CASE("a field whose flag is clear is unknown, whatever its bytes say") {
  auto record = a_record().on_device(2, "eth0", 1500).in_netns(4026532165).with_tcp(1, 2).child_of(7, 8);
  record.with_stack({1}).dropped_because(5);
  record.raw.netns_cookie = 9;
  record.raw.vlan_tci = 100;
  record.raw.flags = 0;
  Bench bench;
  const auto& event = bench.decoded(record);
  CHECK_FALSE(event.ifindex);
  CHECK_FALSE(event.mtu);
  CHECK(event.ifname.empty());
  CHECK_FALSE(event.netns);
  CHECK_FALSE(event.netns_cookie);
  CHECK_FALSE(event.tuple);
  CHECK_FALSE(event.vlan);
  CHECK_FALSE(event.parent);
  CHECK(event.stack.empty());
  REQUIRE(event.drop);
  CHECK_FALSE(event.drop->reason);
  CHECK(event.drop->name == nullptr);
}

TEST_CASE("a hop is decoded field by field") {
  Bench bench;
  bench.symbols.known[0xffffffff81000000] = {.name = "ip_rcv", .offset = 0, .module = {}};
  auto record = a_record().on_device(2, "eth0", 1500).in_netns(4026532165).with_tcp(40512, 80);
  record.raw.flags |= TRACE_FIRST | TRACE_HAS_COOKIE | TRACE_HAS_VLAN;
  record.raw.netns_cookie = 4096;
  record.raw.vlan_tci = 0xe064;
  record.raw.mark = 7;
  const auto& event = bench.decoded(record);
  CHECK(event.type == EventType::Hop);
  CHECK(event.monotonic_ns == 1'000'000'000);
  CHECK(event.realtime_ns == 1'000'000'500);
  CHECK(event.packet == PacketId{.head = 0xffff888105740000, .born_ns = 999'999'000});
  CHECK(event.skb == 0xffff88810574e700);
  CHECK(event.first);
  CHECK(event.function->name == "ip_rcv");
  CHECK(event.function_address == 0xffffffff81000000);
  CHECK(event.caller == nullptr);
  CHECK(event.cpu == 1);
  CHECK(event.pid == 367);
  CHECK(event.comm == "ping");
  CHECK(event.netns == 4026532165U);
  CHECK(event.netns_cookie == 4096U);
  CHECK(event.ifindex == 2U);
  CHECK(event.ifname == "eth0");
  CHECK(event.mtu == 1500U);
  CHECK(event.mark == 7);
  CHECK(event.protocol == 0x0800);
  CHECK(event.length == 84);
  CHECK(event.vlan == 100);
  REQUIRE(event.tuple);
  CHECK(event.tuple->source_port == 40512);
  CHECK_FALSE(event.drop);
}

TEST_CASE("a drop carries the name of its reason and where it happened") {
  Bench bench;
  bench.symbols.known[0xffffffff81000000] = {.name = "nf_hook_slow", .offset = 0x9f, .module = {}};
  bench.reasons.known[8] = {.name = "NETFILTER_DROP", .subsystem = "core"};
  const auto& event = bench.decoded(a_record().dropped_because(8));
  CHECK(event.type == EventType::Drop);
  REQUIRE(event.drop);
  CHECK(event.drop->reason == 8U);
  CHECK(event.drop->name->name == "NETFILTER_DROP");
  CHECK(event.function->offset == 0x9f);
}

TEST_CASE("a child names its parent") {
  Bench bench;
  CHECK(bench.decoded(a_record().child_of(0x1000, 42)).parent == PacketId{.head = 0x1000, .born_ns = 42});
}

TEST_CASE("a stack is read innermost first and without its empty frames") {
  Bench bench;
  const auto& event = bench.decoded(a_record().with_stack({0x10, 0, 0x20}));
  REQUIRE(event.stack.size() == 2);
  CHECK(event.stack[0]->name == "0x10");
  CHECK(event.stack[1]->name == "0x20");
}

TEST_CASE("a stack record whose kernel gave no frames decodes without a stack") {
  Bench bench;
  auto record = a_record().with_stack({1, 2, 3});
  record.raw.stack_len = 0;
  CHECK(bench.decoded(record).stack.empty());
}

TEST_CASE("nothing of an event survives into the next one") {
  Bench bench;
  auto full = a_record().on_device(2, "eth0", 1500).in_netns(1).with_tcp(1, 2).child_of(7, 8).called_from(9);
  bench.decoded(full.with_stack({1}).dropped_because(5));
  const auto& event = bench.decoded(a_record().with_comm(""));
  CHECK(event.type == EventType::Hop);
  CHECK_FALSE(event.tuple);
  CHECK_FALSE(event.drop);
  CHECK_FALSE(event.parent);
  CHECK_FALSE(event.ifindex);
  CHECK_FALSE(event.netns);
  CHECK(event.caller == nullptr);
  CHECK(event.comm.empty());
  CHECK(event.stack.empty());
}

TEST_CASE("a task name that fills its field needs no end mark") {
  Bench bench;
  CHECK(bench.decoded(a_record().with_comm("0123456789abcdef")).comm == "0123456789abcdef");
}

TEST_CASE("each address and each reason is looked up once") {
  Bench bench;
  for (int round = 0; round < 3; ++round)
    bench.decoded(a_record().at(0x1000).called_from(0x2000).dropped_because(8));
  CHECK(bench.symbols.asked == 2);
  CHECK(bench.reasons.asked == 1);
}

TEST_CASE("more distinct addresses than the cache holds are still resolved") {
  Bench bench;
  for (std::uint64_t address = 1; address <= Decoder::kMaxNames + 10; ++address)
    REQUIRE(bench.decoder.decode(a_record().at(address).bytes(), bench.event));
  CHECK(bench.event.function->name == "0x2000a");
}

TEST_CASE("a clock that steps back before the boot does not break the decoder") {
  Bench bench;
  bench.decoder.set_realtime_offset(-1'000);
  CHECK(bench.decoded(a_record()).realtime_ns == 999'999'000);
}

namespace {

DumpForms all_forms() {
  return {
      .skb = DumpForm{.type = "struct sk_buff", .fields = {{.path = "len", .bits = 32}}, .count = {}},
      .shared = DumpForm{.type = "struct skb_shared_info", .fields = {{.path = "nr_frags", .bits = 8}}, .count = {}},
      .control_words = 4};
}

}  // namespace

TEST_CASE("the decoder refuses a dump that ends behind its record or claims more than its room") {
  auto record = a_record().with_dump(PacketBytes(24, 1), PacketBytes(9, 2));
  record.dump.shared_room = 4096;
  CHECK(Bench().error_of(record.bytes()) == "decode record: its dump of 4120 bytes ends behind it");
  record.dump.shared_room = 16;
  record.dump.skb_bytes = 25;
  CHECK(Bench().error_of(record.bytes()) == "decode record: its dump of 40 bytes ends behind it");
  auto alone = a_record().bytes();
  const std::uint32_t flags = TRACE_HAS_DUMP;
  std::memcpy(alone.data() + offsetof(trace_record, flags), &flags, sizeof(flags));
  CHECK(Bench().error_of(alone) == "decode record: the head of its dump ends behind it");
}

TEST_CASE("copies of structs stand between the packet's bytes and its stack, as far as they could be read") {
  Bench bench;
  bench.decoder.set_dump_forms(all_forms());
  PacketBytes skb(30, 0);
  skb[0] = 84;
  skb[4] = 42;
  const auto& event = bench.decoded(a_record().with_bytes({1, 2}, false).with_dump(skb, {3}).with_stack({0x1000}));
  CHECK(event.skb_dump.bytes == skb);
  REQUIRE(event.skb_dump.form);
  CHECK(event.skb_dump.form->type == "struct sk_buff");
  CHECK(event.shared_dump.bytes == std::vector<std::uint8_t>{3});
  CHECK(event.control_words == ControlWords{42, 0, 0, 0, 0});
  CHECK(event.stack.size() == 1);
  const auto& unread = bench.decoded(a_record().with_dump(PacketBytes(8, 1), {}));
  CHECK(unread.shared_dump.bytes.empty());
  CHECK(unread.shared_dump.form);
  CHECK_FALSE(unread.control_words);
}

TEST_CASE("a dump that nobody asked for is nothing") {
  Bench bench;
  const auto& event = bench.decoded(a_record().with_dump(PacketBytes(64, 1), PacketBytes(64, 1)));
  CHECK_FALSE(event.skb_dump.form);
  CHECK(event.skb_dump.bytes.empty());
  CHECK_FALSE(event.control_words);
}
