#include "sink/summary_sink.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <optional>

#include "support/captured_output.h"
#include "support/event_builder.h"

using namespace skbtrail;
using namespace skbtrail::test;

namespace {

// Walks packets through functions and hands back what the summary says.
class Walk {
public:
  explicit Walk(const PathSummary::Limits& limits = {}) : sink_(captured_.output(), limits) {}

  // Events of packet `number`, `gap_ns` apart.
  Walk& packet(std::uint64_t number, const std::vector<std::string>& functions, std::uint64_t gap_ns = 100) {
    for (const auto& function : functions)
      step(number, function, gap_ns);
    return *this;
  }
  Walk& step(std::uint64_t number, const std::string& function, std::uint64_t gap_ns = 100) {
    auto event = an_event();
    event.of_packet(number).at(function);
    return accept(event, std::hash<std::string>{}(function), gap_ns);
  }
  Walk& drop(std::uint64_t number, const std::string& location, const std::string& reason) {
    auto event = an_event();
    event.of_packet(number).at(location, 0x9f).dropped_because(reason);
    return accept(event, 1, 100);
  }
  Walk& program(std::uint64_t number, std::int32_t verdict) {
    auto event = an_event();
    event.of_packet(number).at_program("to_host", 12, verdict);
    return accept(event, 0, 100);
  }
  Walk& frame(std::uint64_t number, std::optional<std::int32_t> verdict) {
    auto event = an_event();
    event.of_packet(number).at_frame("balance", 7, verdict);
    return accept(event, 0, 100);
  }
  Walk& lose(LossCause cause, std::uint64_t count) {
    sink_.accept(LossEvent{.cause = cause, .count = count});
    return *this;
  }

  std::vector<std::string> summary() {
    CHECK(sink_.flush());
    CHECK(captured_.text().empty());
    CHECK(sink_.finish());
    return captured_.lines();
  }

private:
  Walk& accept(EventBuilder& builder, std::uint64_t address, std::uint64_t gap_ns) {
    now_ += gap_ns;
    builder.event().monotonic_ns = now_;
    builder.event().function_address = address;
    sink_.accept(builder.event());
    return *this;
  }

  CapturedOutput captured_;
  SummarySink sink_;
  std::uint64_t now_ = 1'000'000;
};

bool has_line(const std::vector<std::string>& lines, const std::string& wanted) {
  for (const auto& line : lines)
    INFO(line);
  return std::ranges::find(lines, wanted) != lines.end();
}

}  // namespace

TEST_CASE("a trace without packets says so") {
  CHECK(Walk().summary() == std::vector<std::string>{"No packet was seen."});
}

TEST_CASE("packets on one path share a paragraph with their times") {
  Walk walk;
  for (std::uint64_t number = 1; number <= 3; ++number)
    walk.packet(number, {"ip_rcv", "ip_local_deliver"}).drop(number, "nf_hook_slow", "NETFILTER_DROP");
  CHECK(walk.summary() == std::vector<std::string>{"3 packets dropped: NETFILTER_DROP at nf_hook_slow+0x9f",
                                                   "    median         p99  step", "         -           -  ip_rcv",
                                                   "     100ns       100ns  ip_local_deliver",
                                                   "     100ns       100ns  DROP NETFILTER_DROP at nf_hook_slow+0x9f",
                                                   "     200ns       200ns  (all of it)", ""});
}

TEST_CASE("packets that differ in one step are apart, the more common path first") {
  const auto lines = Walk().packet(1, {"a", "b"}).packet(2, {"a", "c"}).packet(3, {"a", "c"}).summary();
  CHECK(lines[0] == "2 packets last seen in c");
  CHECK(lines[5 - 1] == "");
  CHECK(lines[5] == "1 packet last seen in b");
}

TEST_CASE("packets about which a BPF program decided differently are apart") {
  const auto lines = Walk().step(1, "a").program(1, 0).step(2, "a").program(2, 2).step(3, "a").program(3, 2).summary();
  CHECK(lines[0] == "2 packets last seen in to_host [tc 12] TC_ACT_SHOT");
  CHECK(lines[5] == "1 packet last seen in to_host [tc 12] TC_ACT_OK");
}

TEST_CASE("a frame that has no skb has a path all the same") {
  const auto lines = Walk().frame(1, {}).frame(1, 1).summary();
  CHECK(lines[0] == "1 packet last seen in balance [xdp 7] XDP_DROP");
}

TEST_CASE("events of packets that travel side by side are not mixed up") {
  Walk walk;
  for (const char* function : {"a", "b", "c"})
    walk.step(1, function).step(2, function);
  CHECK(walk.summary()[0] == "2 packets last seen in c");
}

TEST_CASE("where a path ended is told by what it reached") {
  CHECK(Walk().packet(1, {"tcp_v4_rcv", "tcp_rcv_established", "__kfree_skb"}).summary()[0] ==
        "1 packet delivered to a socket, last seen in __kfree_skb");
  CHECK(Walk().packet(1, {"dev_hard_start_xmit", "consume_skb"}).summary()[0] ==
        "1 packet consumed (sent on or used up), last seen in consume_skb");
  CHECK(Walk().packet(1, {"ip_rcv"}).summary()[0] == "1 packet last seen in ip_rcv");
}

TEST_CASE("what the kernel does to free a dropped packet is no part of its way") {
  const auto lines =
      Walk().step(1, "ip_rcv").drop(1, "ip_rcv", "OTHERHOST").packet(1, {"__kfree_skb", "kfree_skbmem"}).summary();
  CHECK(lines[0] == "1 packet dropped: OTHERHOST at ip_rcv+0x9f");
  CHECK_FALSE(has_line(lines, "     100ns       100ns  kfree_skbmem"));
}

TEST_CASE("median and p99 are those of all packets on the path") {
  Walk walk;
  for (std::uint64_t number = 1; number <= 100; ++number)
    walk.step(number, "a").step(number, "b", number > 98 ? 1'000'000 : 1'000);
  const auto lines = walk.summary();
  CHECK(has_line(lines, "     1.0us       1.0ms  b"));
}

TEST_CASE("a packet that was dropped is at its end, however full the table is") {
  Walk walk({.packets = 1, .paths = 4, .steps_of_packet = 4, .steps_of_paths = 16, .names = 16, .times = 16});
  walk.packet(1, {"ip_rcv"}).drop(1, "nf_hook_slow", "NETFILTER_DROP");
  walk.packet(2, {"ip_rcv"}).drop(2, "nf_hook_slow", "NETFILTER_DROP");
  for (const auto& line : walk.summary())
    CHECK_FALSE(line.starts_with("Packets counted before their end"));
}

TEST_CASE("durations beyond those that are kept count for the nearest one") {
  LatencyHistogram times;
  CHECK(times.add(1'000, false));
  CHECK_FALSE(times.add(1'000'000, false));
  CHECK_FALSE(times.add(1, false));
  CHECK(times.count() == 3);
  CHECK(times.quantile(1) < 1'100);
  CHECK(times.add(1'000'000));
}

TEST_CASE("packets beyond the table are counted before their end and said") {
  const auto lines = Walk({.packets = 2}).packet(1, {"a"}).packet(2, {"a"}).packet(3, {"a"}).summary();
  CHECK(lines[0] == "3 packets last seen in a");
  CHECK(has_line(lines, "Packets counted before their end was known, because too many were on their way: 1"));
}

TEST_CASE("paths beyond the limit are counted and said") {
  const auto lines = Walk({.paths = 1}).packet(1, {"a"}).packet(2, {"b"}).packet(3, {"c"}).summary();
  CHECK(has_line(lines, "Packets on further paths, which were not kept: 2"));
}

TEST_CASE("a packet that runs in circles is cut and said") {
  Walk walk({.steps_of_packet = 4});
  walk.packet(1, std::vector<std::string>(10, "ip_forward"));
  CHECK(has_line(walk.summary(), "Packets with more steps than are kept, whose paths end early: 1"));
}

TEST_CASE("functions beyond the limit share a name") {
  const auto lines = Walk({.names = 2}).packet(1, {"a", "b", "c"}).summary();
  CHECK(lines[0] == "1 packet last seen in (functions beyond those that are kept)");
}

TEST_CASE("losses are said, for paths may have gaps") {
  const auto lines = Walk().packet(1, {"a"}).lose(LossCause::Ring, 5).lose(LossCause::Tracking, 2).summary();
  CHECK(has_line(lines, "Events lost, so that paths above may have gaps: 5"));
  CHECK(has_line(lines, "Packets not followed, which are on no path above: 2"));
}

TEST_CASE("a histogram is right within 2 percent") {
  for (const double value : {0.0, 1.0, 15.0, 16.0, 17.0, 1e3, 123456789.0, 1e12, 9e18}) {
    LatencyHistogram histogram;
    histogram.add(static_cast<std::uint64_t>(value));
    const auto found = static_cast<double>(histogram.quantile(0.5));
    CHECK(found == Approx(value).epsilon(0.016));
  }
}
