#include "sink/json_sink.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include "support/captured_output.h"
#include "support/event_builder.h"

using namespace skbtrail;
using namespace skbtrail::test;
using nlohmann::json;

namespace {

json written(const PacketEvent& event, const JsonOptions& options = {}) {
  CapturedOutput captured;
  JsonSink sink(captured.output(), options);
  sink.accept(event);
  return json::parse(captured.text());
}

}  // namespace

TEST_CASE("what is unknown is null and never zero") {
  auto builder = an_event();
  PacketEvent& event = builder.event();
  event.comm = "";
  const json line = written(event);
  for (const char* key : {"node", "session", "parent", "module", "caller", "comm", "netns", "ifindex", "ifname",
                          "proto", "mtu", "tuple", "drop", "stack", "delta_ns"})
    CHECK(line.at(key).is_null());
  CHECK_FALSE(line.contains("vlan"));
  CHECK_FALSE(line.contains("netns_cookie"));
  for (const char* key : {"cgroup_id", "kernel_socket", "pod", "src", "dst"})
    CHECK_FALSE(line.contains(key));
}

TEST_CASE("what is said of one event is not said of the next one, which differs") {
  const std::vector<std::function<void(PacketEvent&)>> differences = {
      [](PacketEvent& event) { event.packet.head++; },
      [](PacketEvent& event) { event.packet.born_ns++; },
      [](PacketEvent& event) { event.skb++; },
      [](PacketEvent& event) { event.parent = PacketId{.head = 1, .born_ns = 2}; },
      [](PacketEvent& event) { event.first = !event.first; },
      [](PacketEvent& event) { event.tracked_by = TrackedBy::Stack; },
      [](PacketEvent& event) { event.comm = "other"; },
      [](PacketEvent& event) { event.netns = 7; },
      [](PacketEvent& event) { event.netns_name = "blue"; },
      [](PacketEvent& event) { event.netns_cookie = 8; },
      [](PacketEvent& event) { event.cgroup_id = 9; },
      [](PacketEvent& event) { event.of_kernel_socket = true; },
      [](PacketEvent& event) { event.ifindex = 10; },
      [](PacketEvent& event) { event.ifname = "other0"; },
      [](PacketEvent& event) { event.tuple->source.bytes[3]++; },
      [](PacketEvent& event) { event.tuple->destination.version = 6; },
      [](PacketEvent& event) { event.tuple->source_port++; },
      [](PacketEvent& event) { event.tuple->has_ports = false; },
      [](PacketEvent& event) { event.tuple->tcp_flags.reset(); },
      [](PacketEvent& event) { event.tuple->fragment = true; },
      [](PacketEvent& event) { event.tuple.reset(); },
  };
  for (std::size_t which = 0; which < differences.size(); ++which) {
    CAPTURE(which);
    auto first = an_event();
    auto second = an_event();
    first.with_tcp(40512, 80);
    second.with_tcp(40512, 80);
    differences[which](second.event());
    CapturedOutput captured;
    JsonSink sink(captured.output(), {});
    for (const PacketEvent* event : {&first.event(), &second.event(), &second.event(), &first.event()})
      sink.accept(*event);
    std::istringstream lines(captured.text());
    for (const PacketEvent* event : {&first.event(), &second.event(), &second.event(), &first.event()}) {
      std::string line;
      REQUIRE(std::getline(lines, line));
      CHECK(json::parse(line) == written(*event));
    }
    CHECK(written(first) != written(second));
  }
}

TEST_CASE("a pod is named with its side, and both ends of the tuple with theirs") {
  const json inside = written(an_event().with_tcp(40512, 80).of_pod("shop", "web-0").between("web-0", "db-\"1"));
  CHECK(inside.at("pod") == json{{"namespace", "shop"}, {"name", "web-0"}, {"uid", "0f3c5b0e"}, {"side", "inside"}});
  CHECK(inside.at("src") == json{{"namespace", "shop"}, {"name", "web-0"}});
  CHECK(inside.at("dst") == json{{"namespace", "shop"}, {"name", "db-\"1"}});
  CHECK(written(an_event().of_pod("shop", "web-0", PodSide::Host)).at("pod").at("side") == "host");
}

TEST_CASE("a packet of a kernel's socket says so, with a pod or without one") {
  auto builder = an_event();
  builder.event().of_kernel_socket = true;
  CHECK(written(builder).at("kernel_socket") == true);
  CHECK(written(builder.of_pod("shop", "web-0")).at("kernel_socket") == true);
}

TEST_CASE("a pod whose uid the runtime does not tell has none") {
  const Pod pod{.namespace_name = "shop", .name = "web-0", .uid = ""};
  auto builder = an_event();
  builder.event().pod = {.pod = &pod, .side = PodSide::Inside};
  builder.event().cgroup_id = 4711;
  const json line = written(builder);
  CHECK(line.at("pod").at("uid").is_null());
  CHECK(line.at("cgroup_id") == 4711);
}

TEST_CASE("a tuple without ports has no port zero") {
  auto builder = an_event();
  builder.event().tuple = Tuple{.source = {4, {10, 9, 0, 1}},
                                .destination = {4, {10, 9, 0, 2}},
                                .l4 = L4::Icmp,
                                .next_header = 1,
                                .icmp_type = 8,
                                .icmp_code = 0};
  const json tuple = written(builder).at("tuple");
  CHECK(tuple.at("sport").is_null());
  CHECK(tuple.at("dport").is_null());
  CHECK(tuple.at("tcp_flags").is_null());
  CHECK(tuple.at("l4") == "icmp");
  CHECK(tuple.at("icmp_type") == 8);
  CHECK(tuple.at("icmp_code") == 0);
}

TEST_CASE("a name that is not UTF-8 still gives valid JSON") {
  const json line = written(an_event()
                                .by("\xff\x1b\"", 1)
                                .on_device(2, "\\\xc3", 1500)
                                .at("bad\xff"
                                    "name")
                                .dropped());
  CHECK(line.at("comm") == "\xef\xbf\xbd\x1b\"");
  CHECK(line.at("ifname") == "\\\xef\xbf\xbd");
  CHECK(line.at("func") == "bad\xef\xbf\xbdname");
  CHECK(line.at("drop").at("location") == "bad\xef\xbf\xbdname");
}

TEST_CASE("a hop is one object on one line with the fields of the contract") {
  CapturedOutput captured;
  JsonSink sink(captured.output(), {.node = "n1", .session = "shop/web-debug"});
  sink.accept(an_event().on_device(2, "eth0", 1500).in_netns(4026532165).with_tcp(40512, 80).after(13'590));
  CHECK(captured.text() ==
        R"({"ts":"2026-11-24T09:00:00.123456789Z","type":"hop","node":"n1","session":"shop/web-debug","seq":17,)"
        R"("packet":"ffff888105741000-0000000000000001","skb":"0xffff88810574e700","parent":null,"tracked_by":"skb",)"
        R"("func":"ip_rcv",)"
        R"("offset":0,"module":null,"caller":null,"cpu":0,"pid":367,"comm":"ping","netns":4026532165,"ifindex":2,)"
        R"("ifname":"eth0","mark":0,"proto":2048,"mtu":1500,"len":84,"tuple":{"saddr":"10.9.0.1","daddr":"10.9.0.2",)"
        R"("sport":40512,"dport":80,"l4":"tcp","tcp_flags":"SYN|ACK"},"drop":null,"stack":null,"delta_ns":13590})"
        "\n");
}

TEST_CASE("a drop names reason, subsystem and location") {
  const json line = written(an_event().at("nf_hook_slow", 0x9f).dropped_because("NETFILTER_DROP"));
  CHECK(line.at("type") == "drop");
  CHECK(line.at("func") == "nf_hook_slow");
  CHECK(line.at("offset") == 0x9f);
  CHECK(line.at("drop") ==
        json{{"reason", "NETFILTER_DROP"}, {"subsystem", "core"}, {"location", "nf_hook_slow+0x9f"}});
}

TEST_CASE("a drop on a kernel without reasons has no reason") {
  const json drop = written(an_event().at("kfree_skb", 1).dropped()).at("drop");
  CHECK(drop.at("reason").is_null());
  CHECK(drop.at("subsystem").is_null());
  CHECK(drop.at("location") == "kfree_skb+0x1");
}

TEST_CASE("callers, stacks and modules are written as people read them") {
  const json line = written(an_event()
                                .at("nft_do_chain", 0, "nf_tables")
                                .called_from("nft_do_chain_ipv4", 0x71)
                                .with_stack("a", 1)
                                .with_stack("b", 0));
  CHECK(line.at("func") == "nft_do_chain");
  CHECK(line.at("module") == "nf_tables");
  CHECK(line.at("caller") == "nft_do_chain_ipv4+0x71");
  CHECK(line.at("stack") == json{"a+0x1", "b"});
}

TEST_CASE("packets and their parents are named alike, so that lines can be joined") {
  const json parent = written(an_event().of_packet(3));
  const json child = written(an_event().of_packet(4).child_of(3));
  CHECK(child.at("parent") == parent.at("packet"));
  CHECK(child.at("packet") != parent.at("packet"));
}

TEST_CASE("large numbers keep all their digits") {
  auto builder = an_event();
  builder.event().netns_cookie = UINT64_MAX;
  builder.event().mark = UINT32_MAX;
  const json line = written(builder);
  CHECK(line.at("netns_cookie") == UINT64_MAX);
  CHECK(line.at("mark") == UINT32_MAX);
}

TEST_CASE("a gap says how many events are missing and why") {
  CapturedOutput captured;
  JsonSink sink(captured.output(), {.node = "n1", .session = {}});
  sink.accept(LossEvent{.realtime_ns = 1'795'510'800'000'000'001, .cause = LossCause::Tracking, .count = 7});
  CHECK(captured.text() == R"({"ts":"2026-11-24T09:00:00.000000001Z","type":"loss","node":"n1","session":null,)"
                           R"("cause":"tracking","count":7})"
                           "\n");
}

TEST_CASE("values of expressions are numbers, addresses are strings, and what could not be read is null") {
  const json values = written(an_event()
                                  .with_value("skb->dev->name == \"eth0\"", ValueKind::Signed, 1)
                                  .with_value("skb->wide", ValueKind::Unsigned, ~0ULL)
                                  .with_value("skb->small", ValueKind::Signed, static_cast<std::uint64_t>(-5))
                                  .with_value("skb->sk", ValueKind::Pointer, 0xffff888105741000)
                                  .with_value("skb->dev->mtu", ValueKind::Unsigned, std::nullopt))
                          .at("metadata");
  CHECK(values.at("skb->dev->name == \"eth0\"") == 1);
  CHECK(values.at("skb->wide") == ~0ULL);
  CHECK(values.at("skb->small") == -5);
  CHECK(values.at("skb->sk") == "0xffff888105741000");
  CHECK(values.at("skb->dev->mtu").is_null());
  CHECK_FALSE(written(an_event()).contains("metadata"));
}

TEST_CASE("a BPF program is told with its id and its verdict, which is unknown at its entry") {
  const json entry = written(an_event().at_program("to_host", 12));
  CHECK(entry.at("func") == "to_host");
  CHECK(entry.at("module") == "bpf");
  CHECK(entry.at("program") == json{{"type", "tc"}, {"id", 12}, {"verdict", nullptr}});
  CHECK(written(an_event().at_program("to_host", 12, 2)).at("program").at("verdict") == "TC_ACT_SHOT");
  CHECK(written(an_event().at_program("to_host", 12, -7)).at("program").at("verdict") == "-7");
  CHECK_FALSE(written(an_event()).contains("program"));
}

TEST_CASE("a frame at an XDP program has no skb") {
  const json line = written(an_event().at_frame("balance", 7, 4));
  CHECK(line.at("skb").is_null());
  CHECK(line.at("program") == json{{"type", "xdp"}, {"id", 7}, {"verdict", "XDP_REDIRECT"}});
}

TEST_CASE("an event says why it is there") {
  auto builder = an_event();
  builder.event().tracked_by = TrackedBy::Filter;
  CHECK(written(builder).at("tracked_by") == "filter");
}

TEST_CASE("a call of a function without a packet tells nothing of one") {
  auto builder = an_event();
  builder.event().tracked_by = TrackedBy::Stack;
  builder.event().is_call = true;
  const json line = written(builder);
  CHECK(line.at("tracked_by") == "stack");
  CHECK(line.at("mark").is_null());
  CHECK(line.at("len").is_null());
}

TEST_CASE("an element of a map is told with its key, its value, and whether a lookup found it") {
  auto builder = an_event();
  builder.event().is_call = true;
  builder.event().map = MapAccess{.id = 7,
                                  .name = "flows",
                                  .operation = MapOperation::Find,
                                  .found = true,
                                  .key_size = 2,
                                  .value_size = 300,
                                  .key = {0x0a, 1},
                                  .value = {0xff}};
  CHECK(written(builder).at("map") == json::parse(R"({"id":7,"name":"flows","operation":"lookup","key_size":2,
        "key":"0a01","value_size":300,"value":"ff","found":true})"));
  builder.event().map = MapAccess{.id = 8, .name = "", .operation = MapOperation::Delete, .key_size = 2};
  CHECK(written(builder).at("map") == json::parse(R"({"id":8,"name":null,"operation":"delete","key_size":2,
        "key":null,"value_size":0,"value":null})"));
  CHECK_FALSE(written(an_event()).contains("map"));
}

TEST_CASE("a tunnel is told with its inner tuple") {
  auto builder = an_event();
  builder.with_tcp(1, 2);
  builder.event().tunnel = Tunnel{.kind = TunnelKind::Vxlan, .id = 9, .tuple = builder.event().tuple};
  const json tunnel = written(builder).at("tunnel");
  CHECK(tunnel.at("type") == "vxlan");
  CHECK(tunnel.at("id") == 9);
  CHECK(tunnel.at("tuple").at("dport") == 2);
  CHECK_FALSE(written(an_event()).contains("tunnel"));
}

TEST_CASE("a name of a network namespace, words of cb and structs are there when they were asked for") {
  const DumpForm form{.type = "struct sk_buff", .fields = {{.path = "len", .bits = 8}}, .count = {}};
  auto builder = an_event();
  for (const char* key : {"netns_name", "cb", "sk_buff", "skb_shared_info"})
    CHECK_FALSE(written(builder).contains(key));
  builder.event().netns_name = "bl\"ue";
  builder.event().control_words = ControlWords{1, 2, 3, 4, UINT32_MAX};
  builder.event().skb_dump = {.form = &form, .bytes = {84}};
  builder.event().shared_dump = {.form = &form, .bytes = {}};
  const json line = written(builder);
  CHECK(line.at("netns_name") == "bl\"ue");
  CHECK(line.at("cb") == json{1, 2, 3, 4, UINT32_MAX});
  CHECK(line.at("sk_buff") == "(struct sk_buff){.len = 84}");
  CHECK(line.at("skb_shared_info").is_null());
}
