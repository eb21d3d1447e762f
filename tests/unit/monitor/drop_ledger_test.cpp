#include "monitor/drop_ledger.h"

#include <netinet/in.h>

#include <catch2/catch.hpp>

namespace skbtrail {
namespace {

constexpr std::uint32_t kPodNetns = 7;
constexpr std::uint32_t kNoSocket = 3;
constexpr std::uint32_t kPurged = 5;

class Reasons final : public DropReasonNames {
public:
  DropReasonName lookup(std::uint32_t reason) const override {
    return {.name = reason == kPurged     ? "QUEUE_PURGE"
                    : reason == kNoSocket ? "NO_SOCKET"
                                          : "TCP_CSUM",
            .subsystem = "core"};
  }
};

class Locations final : public SymbolResolver {
public:
  Symbol resolve(std::uint64_t address) const override {
    return {.name = "f" + std::to_string(address), .offset = 0, .module = {}};
  }
};

// Names of a node with one pod, which can be taken away and whose side can be changed.
struct Node {
  Reasons reasons;
  Locations locations;
  Pod web{.namespace_name = "shop", .name = "web-0", .uid = "1"};
  bool knows_pod = true;
  PodSide side = PodSide::Inside;

  DropNames names() const {
    return {.reasons = &reasons,
            .locations = &locations,
            .interface = [](std::uint32_t, std::uint32_t ifindex) { return "eth" + std::to_string(ifindex); },
            .pod =
                [this](const PacketPlace& place) {
                  if (place.netns_inum != kPodNetns)
                    return PodFound{.answer = PodAnswer::Host, .at = {}};
                  return knows_pod ? PodFound{.answer = PodAnswer::Pod, .at = {&web, side}} : PodFound{};
                }};
  }
};

DropRow row(std::uint32_t reason, std::uint64_t packets, std::uint32_t netns = kPodNetns) {
  return {.key = {.location = 1,
                  .netns_cookie = 0,
                  .netns_inum = netns,
                  .reason = reason,
                  .ifindex = 2,
                  .l3_protocol = 0x0800,
                  .l4_protocol = IPPROTO_UDP,
                  .direction = MONITOR_INGRESS,
                  .pod_netns_inum = 0,
                  .pod_end = MONITOR_NO_POD_END,
                  .unused = {}},
          .count = {.packets = packets, .bytes = 100 * packets}};
}

std::map<LabelValues, std::uint64_t> series(const DropLedger& ledger, std::string_view name) {
  std::map<LabelValues, std::uint64_t> found;
  for (const auto* family : ledger.families())
    if (family->name() == name)
      family->for_each([&](const LabelValues& labels, std::uint64_t value) { found[labels] = value; });
  return found;
}

using Series = std::map<LabelValues, std::uint64_t>;

TEST_CASE("a series has the latest packet of its rows, and where it was dropped") {
  Node node;
  auto names = node.names();
  double seconds = 0;
  names.last_packet = [&](const monitor_drop_key&) {
    return LastPacket{.packet = {}, .seconds = seconds, .location = {}};
  };
  SeriesBudget budget;
  DropLedger ledger{budget};
  for (const double when : {5, 7, 6}) {
    seconds = when;
    const std::vector rows{row(kNoSocket, 1)};
    ledger.take(rows, names);
  }
  names.last_packet = [](const monitor_drop_key&) { return std::optional<LastPacket>{}; };
  const std::vector unknown{row(kPurged + 1, 1)};
  ledger.take(unknown, names);
  const auto exemplars = ledger.exemplars();
  const auto& by_pod = exemplars.at("skbtrail_drops_total");
  REQUIRE(by_pod.size() == 2);
  REQUIRE(by_pod[0]);
  CHECK(by_pod[0]->seconds == 7);
  REQUIRE(by_pod[0]->labels.size() == 1);
  CHECK(by_pod[0]->labels[0].value == "f1");
  CHECK_FALSE(by_pod[1]);
  const auto& by_place = exemplars.at("skbtrail_node_drops_total");
  REQUIRE(by_place[0]);
  CHECK(by_place[0]->labels.empty());
}

TEST_CASE("a drop is counted for its pod, in bytes, and for the node") {
  const Node node;
  SeriesBudget budget;
  DropLedger ledger{budget};
  const std::vector rows{row(kNoSocket, 3)};
  ledger.take(rows, node.names());
  CHECK(series(ledger, "skbtrail_drops_total") ==
        Series{{{"shop", "web-0", "NO_SOCKET", "core", "udp", "ingress"}, 3}});
  CHECK(series(ledger, "skbtrail_drop_bytes_total") == Series{{{"shop", "web-0", "NO_SOCKET"}, 300}});
  CHECK(series(ledger, "skbtrail_node_drops_total") == Series{{{"NO_SOCKET", "core", "f1", "eth2"}, 3}});
  CHECK(ledger.lookups().hit == 1);
}

TEST_CASE("namespaces without a pod are named when they have only what was deleted, and folded with others when gone") {
  const Node node;
  SeriesBudget budget;
  DropLedger ledger{budget};
  const std::vector rows{row(kNoSocket, 3)};
  ledger.take(rows, node.names());
  SeriesNames living;
  ledger.name(living);
  CHECK(living.namespaces.empty());
  ledger.forget({.pods = {{"shop", "web-0"}}});
  SeriesNames deleted;
  ledger.name(deleted);
  CHECK(deleted.pods.empty());
  CHECK(deleted.namespaces == std::set<std::string>{"shop"});
  ledger.forget({.namespaces = deleted.namespaces});
  CHECK(series(ledger, "skbtrail_drop_bytes_total") == Series{{{"__deleted__", "__deleted__", "NO_SOCKET"}, 300}});
  SeriesNames nothing;
  ledger.name(nothing);
  CHECK(nothing.namespaces.empty());
}

TEST_CASE("whoever listens hears of what pods lose, and of nothing else") {
  Node node;
  std::vector<std::string> heard;
  SeriesBudget budget;
  DropLedger ledger{
      budget, [&](const PodDrop& drop) {
        heard.push_back(drop.pod.uid + " " + drop.reason + " " + drop.location + " " + std::to_string(drop.packets));
      }};
  const std::vector rows{row(kNoSocket, 3), row(kPurged, 5), row(kNoSocket, 4, kPodNetns + 1)};
  ledger.take(rows, node.names());
  CHECK(heard == std::vector<std::string>{"1 NO_SOCKET f1 3"});
}

TEST_CASE("a pod that becomes known later takes nothing back from where its drops were counted") {
  Node node;
  node.knows_pod = false;
  SeriesBudget budget;
  DropLedger ledger{budget};
  const std::vector before{row(kNoSocket, 3)};
  ledger.take(before, node.names());
  node.knows_pod = true;
  const std::vector after{row(kNoSocket, 2)};
  ledger.take(after, node.names());
  CHECK(series(ledger, "skbtrail_drops_total") ==
        Series{{{"", "", "NO_SOCKET", "core", "udp", "ingress"}, 3},
               {{"shop", "web-0", "NO_SOCKET", "core", "udp", "ingress"}, 2}});
  CHECK(ledger.lookups().miss == 1);
}

TEST_CASE("what the node's end of a pod's link receives is the pod's egress") {
  Node node;
  node.side = PodSide::Host;
  SeriesBudget budget;
  DropLedger ledger{budget};
  const std::vector rows{row(kNoSocket, 1)};
  ledger.take(rows, node.names());
  CHECK(series(ledger, "skbtrail_drops_total").begin()->first.back() == "egress");
}

TEST_CASE("a drop in the node's namespace is the pod's whose address the packet has") {
  Node node;
  SeriesBudget budget;
  DropLedger ledger{budget};
  DropRow sent = row(kNoSocket, 3, kPodNetns + 1);
  sent.key.pod_netns_inum = kPodNetns;
  sent.key.pod_end = MONITOR_POD_SENT;
  DropRow received = sent;
  received.key.pod_end = MONITOR_POD_RECEIVES;
  received.count.packets = 2;
  ledger.take(std::vector{sent, received}, node.names());
  CHECK(series(ledger, "skbtrail_drops_total") ==
        Series{{{"shop", "web-0", "NO_SOCKET", "core", "udp", "egress"}, 3},
               {{"shop", "web-0", "NO_SOCKET", "core", "udp", "ingress"}, 2}});
  CHECK(ledger.lookups().hit == 2);
  node.knows_pod = false;
  ledger.take(std::vector{sent}, node.names());
  CHECK(ledger.lookups().host == 1);
  CHECK(ledger.lookups().miss == 0);
}

TEST_CASE("packets that were not lost are counted apart") {
  const Node node;
  SeriesBudget budget;
  DropLedger ledger{budget};
  const std::vector rows{row(kPurged, 4)};
  ledger.take(rows, node.names());
  CHECK(series(ledger, "skbtrail_drops_total").empty());
  CHECK(series(ledger, "skbtrail_normal_ends_total") == Series{{{"QUEUE_PURGE", "core", "f1"}, 4}});
}

TEST_CASE("a kernel without reasons says NOT_SPECIFIED") {
  const Node node;
  SeriesBudget budget;
  DropLedger ledger{budget};
  const std::vector rows{row(0, 1)};
  DropNames names = node.names();
  names.reasons = nullptr;
  ledger.take(rows, names);
  CHECK(series(ledger, "skbtrail_drop_bytes_total") == Series{{{"shop", "web-0", "NOT_SPECIFIED"}, 100}});
}

TEST_CASE("what the kernel had no room for keeps its reason") {
  const Node node;
  SeriesBudget budget;
  DropLedger ledger{budget};
  for (const std::uint64_t packets : {3, 4})
    ledger.take_overflow({{kNoSocket, {.packets = packets, .bytes = packets}}}, node.names());
  CHECK(series(ledger, "skbtrail_drop_bytes_total") == Series{{{"__overflow__", "__overflow__", "NO_SOCKET"}, 7}});
  CHECK(series(ledger, "skbtrail_node_drops_total") ==
        Series{{{"NO_SOCKET", "core", "__overflow__", "__overflow__"}, 7}});
}

TEST_CASE("the drops of a deleted pod stay in its namespace") {
  const Node node;
  SeriesBudget budget;
  DropLedger ledger{budget};
  const std::vector rows{row(kNoSocket, 3), row(kNoSocket, 1, kPodNetns + 1)};
  ledger.take(rows, node.names());
  SeriesNames named;
  ledger.name(named);
  CHECK(named.pods == std::set<PodLabels>{{"shop", "web-0"}});
  CHECK(named.interfaces == std::set<std::string>{"eth2"});
  ledger.forget({.pods = {{"shop", "web-0"}}, .interfaces = {}});
  CHECK(series(ledger, "skbtrail_drop_bytes_total") ==
        Series{{{"", "", "NO_SOCKET"}, 100}, {{"shop", "__deleted__", "NO_SOCKET"}, 300}});
}

}  // namespace
}  // namespace skbtrail
