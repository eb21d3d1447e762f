#include <catch2/catch.hpp>

#include "monitor/top_drops.h"
#include "monitor/top_page.h"

namespace skbtrail {
namespace {

constexpr std::uint32_t kPodNetns = 7;

class Reasons final : public DropReasonNames {
public:
  DropReasonName lookup(std::uint32_t reason) const override {
    return {.name = reason == 1 ? "NO_SOCKET" : reason == 2 ? "TCP_CSUM" : "SOCKET_CLOSE", .subsystem = "core"};
  }
};

class Locations final : public SymbolResolver {
public:
  Symbol resolve(std::uint64_t address) const override {
    return {.name = "f" + std::to_string(address), .offset = 0, .module = {}};
  }
};

struct Node {
  Reasons reasons;
  Locations locations;
  Pod web{.namespace_name = "shop", .name = "web-0", .uid = "1"};

  DropNames names() const {
    return {.reasons = &reasons,
            .locations = &locations,
            .interface = [](std::uint32_t, std::uint32_t ifindex) { return ifindex ? "eth0" : ""; },
            .pod =
                [this](const PacketPlace& place) {
                  return place.netns_inum == kPodNetns
                             ? PodFound{.answer = PodAnswer::Pod, .at = {&web, PodSide::Inside}}
                             : PodFound{.answer = PodAnswer::Host, .at = {}};
                }};
  }
};

DropRow row(std::uint32_t reason, std::uint64_t packets, std::uint32_t netns = kPodNetns) {
  DropRow row;
  row.key.reason = reason;
  row.key.netns_inum = netns;
  row.key.location = 1;
  row.key.ifindex = 2;
  row.count = {.packets = packets, .bytes = packets};
  return row;
}

TEST_CASE("nothing dropped is a page without rows") {
  CHECK(top_page(TopDrops{}, {.round = std::chrono::seconds{2}}) == "0 packets dropped in 2.0 s; 0 of 0 places\n");
}

TEST_CASE("the worst of the last round comes first, and what was bad before stays below") {
  const Node node;
  TopDrops drops;
  const std::vector first{row(1, 100), row(2, 5)};
  drops.take(first, node.names());
  const std::vector second{row(2, 3), row(2, 4, kPodNetns + 1)};
  drops.take(second, node.names());
  const auto worst = drops.worst(10);
  REQUIRE(worst.size() == 3);
  CHECK(worst[0].place.pod.empty());
  CHECK(worst[0].lately == 4);
  CHECK(worst[1].place.reason == "TCP_CSUM");
  CHECK(worst[1].lately == 3);
  CHECK(worst[1].total == 8);
  CHECK(worst[2].place.reason == "NO_SOCKET");
  CHECK(worst[2].lately == 0);
  CHECK(drops.lately() == 7);
  CHECK(drops.worst(1).size() == 1);
}

TEST_CASE("normal ends are no drops") {
  const Node node;
  TopDrops drops;
  const std::vector rows{row(3, 9)};
  drops.take(rows, node.names());
  CHECK(drops.places() == 0);
}

TEST_CASE("a row says who, why, how often, where, and what to do") {
  const Node node;
  TopDrops drops;
  const std::vector rows{row(1, 10)};
  drops.take(rows, node.names());
  const auto page = top_page(drops, {.round = std::chrono::seconds{2}});
  for (const char* part : {"shop/web-0", "NO_SOCKET", " 5.0 ", " 10 ", "f1, eth0", "    check: "})
    CHECK(page.find(part) != std::string::npos);
  CHECK(top_page(drops, {.advice = false}).find("check:") == std::string::npos);
}

TEST_CASE("no line is longer than the terminal is wide") {
  const Node node;
  TopDrops drops;
  const std::vector rows{row(1, 10)};
  drops.take(rows, node.names());
  const auto page = top_page(drops, {.width = 40});
  for (std::size_t at = 0, end = 0; (end = page.find('\n', at)) != std::string::npos; at = end + 1)
    CHECK(end - at <= 40);
}

TEST_CASE("places beyond the bound are counted together") {
  const Node node;
  TopDrops drops;
  std::vector<DropRow> rows;
  for (std::uint64_t place = 0; place < TopDrops::kMostPlaces + 5; ++place) {
    rows.push_back(row(1, 1));
    rows.back().key.location = place;
  }
  drops.take(rows, node.names());
  CHECK(drops.places() == TopDrops::kMostPlaces + 1);
  CHECK(drops.lately() == TopDrops::kMostPlaces + 5);
  CHECK(drops.worst(1)[0].lately == 5);
}

}  // namespace
}  // namespace skbtrail
