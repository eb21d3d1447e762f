#include "sink/text_sink.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "support/captured_output.h"
#include "support/event_builder.h"
#include "support/sample_trace.h"

using namespace skbtrail;
using namespace skbtrail::test;

namespace {

// A sink and what it wrote.
struct Page {
  explicit Page(const TextOptions& options = {}) : sink(captured.output(), options) {}

  std::vector<std::string> lines() { return captured.lines(); }
  std::string last() { return lines().back(); }

  CapturedOutput captured;
  TextSink sink;
};

std::size_t count_of(const std::string& text, std::string_view part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
    ++count;
  return count;
}

const auto kNarrow = TextOptions{.meta = false, .tuple = false};

}  // namespace

TEST_CASE("names that carry terminal commands are defused") {
  Page page;
  page.sink.accept(an_event().by("\x1b[31m\xff", 1).on_device(2, "a\rb", 1500));
  CHECK(page.captured.text().find('\x1b') == std::string::npos);
  CHECK(page.captured.text().find('\r') == std::string::npos);
  CHECK(page.last().find("?[31m?:1") != std::string::npos);
}

TEST_CASE("what is unknown is a dash") {
  Page page;
  page.sink.accept(an_event());
  CHECK(page.last() ==
        "#1     0xffff88810574e700 0   ping:367         -          0      -        -          -    84 "
        "-                                 ip_rcv");
}

TEST_CASE("a hop is one line under the titles that pwru's users know") {
  Page page;
  page.sink.accept(an_event().on_device(2, "eth0", 1500).in_netns(4026532165).with_tcp(40512, 80));
  CHECK(page.lines() ==
        std::vector<std::string>{
            "PACKET SKB                CPU PROCESS          NETNS      MARK/x IFACE    PROTO    MTU   LEN "
            "TUPLE                             FUNC",
            "#1     0xffff88810574e700 0   ping:367         4026532165 0      eth0     0x0800  1500    84 "
            "10.9.0.1:40512->10.9.0.2:80(tcp)  ip_rcv"});
}

TEST_CASE("an interface without a name shows its index") {
  Page page;
  page.sink.accept(an_event().on_device(7, "", 1500));
  CHECK(page.last().find(" if7 ") != std::string::npos);
}

TEST_CASE("packets are numbered as they appear, clones share a number and children name their parent") {
  Page page(kNarrow);
  page.sink.accept(an_event().of_packet(10));
  page.sink.accept(an_event().of_packet(20));
  page.sink.accept(an_event().of_packet(10).with_skb(0x1000));
  page.sink.accept(an_event().of_packet(30).child_of(10));
  const auto lines = page.lines();
  REQUIRE(lines.size() == 5);
  CHECK(lines[1].starts_with("#1 "));
  CHECK(lines[2].starts_with("#2 "));
  CHECK(lines[3].starts_with("#1 "));
  CHECK(lines[4].starts_with("#3<#1 "));
}

TEST_CASE("a child whose parent was never seen still gets the later number") {
  Page page(kNarrow);
  page.sink.accept(an_event().of_packet(30).child_of(10));
  CHECK(page.last().starts_with("#2<#1 "));
}

TEST_CASE("a drop in a file is one line with everything in it") {
  Page page(kNarrow);
  page.sink.accept(an_event().at("nf_hook_slow", 0x9f).dropped_because("NETFILTER_DROP"));
  CHECK(page.lines().size() == 2);
  CHECK(page.last() ==
        "#1     0xffff88810574e700 0   ping:367         DROP  NETFILTER_DROP at nf_hook_slow+0x9f: "
        "a netfilter rule (nftables/iptables) dropped it");
}

TEST_CASE("a drop on a terminal stands below its line, and its advice comes once") {
  Page page({.meta = false, .tuple = false, .width = 80});
  for (int round = 0; round < 2; ++round)
    page.sink.accept(an_event().at("tcp_v4_rcv", 0x5a).dropped_because("NO_SOCKET"));
  CHECK(page.lines() ==
        std::vector<std::string>{
            "PACKET SKB                CPU PROCESS          FUNC",
            "#1     0xffff88810574e700 0   ping:367         tcp_v4_rcv+0x5a",
            "       DROP  NO_SOCKET at tcp_v4_rcv+0x5a: no process listens on this address", "             and port",
            "       check: ss -lntup in this network namespace: is the service running, on",
            "              this address and this port?",
            "#1     0xffff88810574e700 0   ping:367         tcp_v4_rcv+0x5a",
            "       DROP  NO_SOCKET at tcp_v4_rcv+0x5a: no process listens on this address", "             and port"});
}

TEST_CASE("a drop without a reason says so") {
  Page page(kNarrow);
  page.sink.accept(an_event().at("kfree_skb_list", 2).dropped());
  CHECK(page.last().find("DROP  without a reason at kfree_skb_list+0x2: the kernel dropped it here") !=
        std::string::npos);
}

TEST_CASE("a reason of another subsystem names it") {
  Page page(kNarrow);
  page.sink.accept(an_event().dropped_because("OVS_DROP_METER", "openvswitch"));
  CHECK(page.last().find("DROP  openvswitch/OVS_DROP_METER at ") != std::string::npos);
}

TEST_CASE("colour is used only when asked for, and always ends") {
  Page page({.meta = false, .tuple = false, .colour = true, .width = 100});
  page.sink.accept(an_event());
  page.sink.accept(an_event().dropped_because("NO_SOCKET"));
  page.sink.accept(LossEvent{.count = 1});
  const std::string text = page.captured.text();
  CHECK(count_of(text, "\x1b[") == 2 * count_of(text, "\x1b[0m"));
  CHECK(text.find("\x1b[1;31mDROP") != std::string::npos);
  CHECK(text.find("\x1b[1;33mLOST 1 ") != std::string::npos);
}

TEST_CASE("a gap is a line of its own with its cure") {
  Page page(kNarrow);
  page.sink.accept(LossEvent{.cause = LossCause::Ring, .count = 1204});
  CHECK(page.last() == "LOST 1204 events here: ring buffer full; raise --ring-size or narrow the filter");
  page.sink.accept(LossEvent{.cause = LossCause::Tracking, .count = 2});
  CHECK(page.last() == "LOST 2 packets here: too many packets are followed at once; narrow the filter");
}

TEST_CASE("the time column shows what was asked for") {
  auto event = an_event();
  event.after(13'590);
  const auto time_of = [&event](Timestamp timestamp, std::int64_t offset = 0) {
    Page page({.timestamp = timestamp, .meta = false, .tuple = false, .utc_offset_s = offset});
    page.sink.accept(event);
    return page.last().substr(47);
  };
  CHECK(time_of(Timestamp::Current) == "5000             ip_rcv");
  CHECK(time_of(Timestamp::Relative) == " +13.590us ip_rcv");
  CHECK(time_of(Timestamp::Absolute) == "2026-11-24T09:00:00.123456Z ip_rcv");
  CHECK(time_of(Timestamp::Absolute, -19'800) == "2026-11-24T03:30:00.123456-05:30 ip_rcv");
}

TEST_CASE("callers stand in a column and stacks below their line") {
  Page page({.meta = false, .tuple = false, .caller = true, .stack = true});
  page.sink.accept(an_event().called_from("ip_list_rcv", 0x3d).with_stack("ip_rcv", 5).with_stack("tick", 0));
  const auto lines = page.lines();
  REQUIRE(lines.size() == 4);
  CHECK(lines[0].ends_with("FUNC                     CALLER"));
  CHECK(lines[1].ends_with("ip_rcv                   ip_list_rcv+0x3d"));
  CHECK(lines[2] == "         ip_rcv+0x5");
  CHECK(lines[3] == "         tick");
}

TEST_CASE("long names are cut in the middle on a terminal and whole in a file") {
  const std::string name = "__a_function_with_a_name_that_is_much_longer_than_the_room_that_is_left_for_it";
  Page terminal({.meta = false, .tuple = false, .width = 71});
  terminal.sink.accept(an_event().at(name));
  CHECK(terminal.last().size() == 71);
  CHECK(terminal.last().ends_with("__a_function~left_for_it"));
  Page file(kNarrow);
  file.sink.accept(an_event().at(name));
  CHECK(file.last().ends_with(name));
}

TEST_CASE("a symbol that does not fit loses its module first") {
  Page page({.meta = false, .tuple = false, .width = 71});
  page.sink.accept(an_event().at("nf_conntrack_in", 0, "nf_conntrack"));
  CHECK(page.last().ends_with(" nf_conntrack_in"));
}

TEST_CASE("no line is wider than the terminal, and no line ends in spaces") {
  for (const std::size_t width : {std::size_t{40}, std::size_t{80}, std::size_t{120}, std::size_t{200}}) {
    Page page({.timestamp = Timestamp::Relative, .caller = true, .width = width});
    SampleTrace().play(page.sink);
    for (const auto& line : page.lines()) {
      INFO(line);
      CHECK_FALSE(line.ends_with(' '));
      if (width >= 80 && !line.starts_with('('))
        CHECK(line.size() <= width);
    }
  }
}

TEST_CASE("a narrow terminal keeps what matters and says what it left out") {
  Page page({.width = 80});
  page.sink.accept(an_event().with_tcp(40512, 80));
  CHECK(page.lines()[0] ==
        "(this terminal is too narrow for MTU MARK/x PROTO SKB CPU NETNS LEN PROCESS; a wider one or a file shows "
        "all)");
  CHECK(page.last() == "#1     -        10.9.0.1:40512->10.9.0.2:80(tcp)  ip_rcv");
}

TEST_CASE("values of expressions stand before the function, a dash for what could not be read") {
  Page page({.meta = false, .tuple = false, .values = true});
  page.sink.accept(an_event()
                       .with_value("skb->mark", ValueKind::Unsigned, 16)
                       .with_value("skb->dev->mtu", ValueKind::Unsigned, std::nullopt));
  CHECK(page.last() == "#1     0xffff88810574e700 0   ping:367         skb->mark=16 skb->dev->mtu=- ip_rcv");
  CHECK(page.lines().front().find("VALUES") != std::string::npos);
}

TEST_CASE("a BPF program stands in the function's place, with its id and what it decided") {
  Page page(kNarrow);
  for (const auto& [verdict, wanted] : {std::pair<std::optional<std::int32_t>, std::string>{{}, "to_host [tc 12]"},
                                        {2, "to_host [tc 12] TC_ACT_SHOT"},
                                        {-1, "to_host [tc 12] TC_ACT_UNSPEC"},
                                        {-7, "to_host [tc 12] -7"},
                                        {9, "to_host [tc 12] 9"}}) {
    page.sink.accept(an_event().at_program("to_host", 12, verdict));
    CHECK(page.last().ends_with(" " + wanted));
  }
}

TEST_CASE("a tunnel stands before the function") {
  Page page({.meta = false, .tuple = false, .tunnel = true});
  auto builder = an_event();
  builder.with_tcp(1, 2);
  builder.event().tunnel = Tunnel{.kind = TunnelKind::Geneve, .id = 7, .tuple = builder.event().tuple};
  page.sink.accept(builder);
  CHECK(page.last().find("geneve 7 10.9.0.1:1->10.9.0.2:2(tcp) ip_rcv") != std::string::npos);
}

TEST_CASE("the column of pods is there only when asked for, and says at which end of its link a packet is") {
  TextOptions options = kNarrow;
  options.pod = true;
  Page page(options);
  page.sink.accept(an_event().of_pod("shop", "web-0"));
  page.sink.accept(an_event().of_pod("shop", "web-0", PodSide::Host));
  page.sink.accept(an_event());
  auto of_kernel = an_event();
  of_kernel.event().of_kernel_socket = true;
  page.sink.accept(of_kernel);
  page.sink.accept(of_kernel.of_pod("shop", "web-0"));
  const auto lines = page.lines();
  REQUIRE(lines.size() == 6);
  CHECK(lines[4] == "#1     0xffff88810574e700 0   ping:367         kernel               ip_rcv");
  CHECK(lines[5] == lines[1]);
  CHECK(lines[0] == "PACKET SKB                CPU PROCESS          POD                  FUNC");
  CHECK(lines[1] == "#1     0xffff88810574e700 0   ping:367         shop/web-0           ip_rcv");
  CHECK(lines[2] == "#1     0xffff88810574e700 0   ping:367         shop/web-0@host      ip_rcv");
  CHECK(lines[3] == "#1     0xffff88810574e700 0   ping:367         -                    ip_rcv");
}

TEST_CASE("a terminal shortens a long pod in the middle, a file does not") {
  const std::string name = "web-" + std::string(60, 'x') + "-0";
  TextOptions options{.pod = true, .meta = false, .tuple = false};
  Page file(options);
  file.sink.accept(an_event().of_pod("shop", name));
  CHECK(file.last().find("shop/" + name + " ") != std::string::npos);
  options.width = 120;
  Page terminal(options);
  terminal.sink.accept(an_event().of_pod("shop", name));
  CHECK(terminal.last().find(name) == std::string::npos);
  CHECK(terminal.last().find("shop/web-xxxxxxx~xxxxxxxxxxxxx-0 ") != std::string::npos);
}

TEST_CASE("names of network namespaces are cut to what was asked for, also in a file") {
  Page page({.meta = false, .netns_name = 12, .tuple = false});
  auto event = an_event();
  event.event().netns_name = "cni-0123456789abcdef";
  page.sink.accept(event);
  event.event().netns_name = {};
  page.sink.accept(event);
  const auto lines = page.lines();
  REQUIRE(lines.size() == 3);
  CHECK(lines[0].find(" NSNAME ") != std::string::npos);
  CHECK(lines[1].find(" cni-01~bcdef ") != std::string::npos);
  CHECK(lines[2].find(" - ") != std::string::npos);
}

TEST_CASE("structs stand below their line, each in one line of a file, and words of cb in a column") {
  const DumpForm form{.type = "struct sk_buff", .fields = {{.path = "len", .bits = 8}}, .count = {}};
  Page page({.meta = false, .tuple = false, .control_words = true});
  auto event = an_event();
  event.event().skb_dump = {.form = &form, .bytes = {84}};
  event.event().control_words = ControlWords{0, 42, 0, 0, 0};
  page.sink.accept(event);
  const auto lines = page.lines();
  REQUIRE(lines.size() == 3);
  CHECK(lines[1].find(" [0x0,0x2a,0x0,0x0,0x0] ip_rcv") != std::string::npos);
  CHECK(lines[2] == "         (struct sk_buff){.len = 84}");
}

TEST_CASE("what is done with an element of a map stands below the call") {
  Page page({.meta = false, .tuple = false});
  auto event = an_event();
  MapAccess access{.id = 7,
                   .name = "flows",
                   .operation = MapOperation::Lookup,
                   .found = true,
                   .key_size = 2,
                   .value_size = 4,
                   .key = {0x0a, 1},
                   .value = {1, 2}};
  const auto accept = [&] {
    event.event().map = access;
    page.sink.accept(event);
  };
  accept();
  access.found = false;
  accept();
  access.operation = MapOperation::Update;
  access.value.clear();
  accept();
  access.operation = MapOperation::Delete;
  access.name = "";
  accept();
  const auto lines = page.lines();
  REQUIRE(lines.size() == 9);
  CHECK(lines[2] == "         map 7 'flows': lookup of key 0a01: value 0102...");
  CHECK(lines[4] == "         map 7 'flows': lookup of key 0a01: no such element");
  CHECK(lines[6] == "         map 7 'flows': update of key 0a01: value unknown");
  CHECK(lines[8] == "         map 7: delete of key 0a01");
}
