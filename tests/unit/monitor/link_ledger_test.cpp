#include "monitor/link_ledger.h"

#include <catch2/catch.hpp>

namespace skbtrail {
namespace {

constexpr std::uint32_t kHost = 1;
constexpr std::uint32_t kVeth = 9;

class OnePod final : public PodView {
public:
  PodFound find(const PacketPlace& place) const override {
    if (place.netns_inum == kHost && place.ifindex == kVeth)
      return {.answer = PodAnswer::Pod, .at = {&pod_, PodSide::Host}};
    return {.answer = PodAnswer::Host, .at = {}};
  }
  bool exists(const std::string&, const std::string&) const override { return true; }
  std::size_t count() const override { return 1; }
  bool is_fresh() const override { return true; }

private:
  Pod pod_{.namespace_name = "shop", .name = "web-0", .uid = "1"};
};

LinkStatistics veth(std::uint64_t rx, std::uint64_t tx, std::uint64_t dropped = 0) {
  return {.ifindex = kVeth,
          .name = "veth1",
          .rx_packets = rx,
          .rx_bytes = 10 * rx,
          .tx_packets = tx,
          .tx_bytes = 10 * tx,
          .losses = {{"rx_dropped", dropped}}};
}

std::map<LabelValues, std::uint64_t> series(const LinkLedger& ledger, std::string_view name) {
  std::map<LabelValues, std::uint64_t> found;
  for (const auto* family : ledger.families())
    if (family->name() == name)
      family->for_each([&](const LabelValues& labels, std::uint64_t value) { found[labels] = value; });
  return found;
}

using Series = std::map<LabelValues, std::uint64_t>;

TEST_CASE("what the node's end sends, the pod receives") {
  SeriesBudget budget;
  LinkLedger ledger{kHost, budget};
  const std::vector links{veth(2, 3, 4)};
  ledger.take(links, OnePod{});
  ledger.take(links, OnePod{});
  CHECK(series(ledger, "skbtrail_path_packets_total") ==
        Series{{{"shop", "web-0", "egress"}, 2}, {{"shop", "web-0", "ingress"}, 3}});
  CHECK(series(ledger, "skbtrail_path_bytes_total") ==
        Series{{{"shop", "web-0", "egress"}, 20}, {{"shop", "web-0", "ingress"}, 30}});
  CHECK(series(ledger, "skbtrail_interface_losses_total") == Series{{{"veth1", "rx_dropped"}, 4}});
}

TEST_CASE("a driver that starts again from zero takes nothing back") {
  SeriesBudget budget;
  LinkLedger ledger{kHost, budget};
  for (const std::uint64_t dropped : {4, 1}) {
    const std::vector links{veth(0, 0, dropped)};
    ledger.take(links, OnePod{});
  }
  CHECK(series(ledger, "skbtrail_interface_losses_total") == Series{{{"veth1", "rx_dropped"}, 5}});
}

TEST_CASE("an interface of the same name but another index starts anew") {
  SeriesBudget budget;
  LinkLedger ledger{kHost, budget};
  const std::vector first{veth(0, 0, 4)};
  ledger.take(first, OnePod{});
  auto other = veth(0, 0, 6);
  other.ifindex = kVeth + 1;
  const std::vector second{other};
  ledger.take(second, OnePod{});
  CHECK(series(ledger, "skbtrail_interface_losses_total") == Series{{{"veth1", "rx_dropped"}, 10}});
}

TEST_CASE("an interface that is gone is told from one that was never here") {
  SeriesBudget budget;
  LinkLedger ledger{kHost, budget};
  const std::vector links{veth(0, 0, 4)};
  ledger.take(links, OnePod{});
  CHECK_FALSE(ledger.has_lost("veth1"));
  ledger.take({}, OnePod{});
  CHECK(ledger.has_lost("veth1"));
  CHECK_FALSE(ledger.has_lost("eth0"));
  SeriesNames named;
  ledger.name(named);
  CHECK(named.interfaces == std::set<std::string>{"veth1"});
  ledger.forget({.pods = {}, .interfaces = {"veth1"}}, named);
  CHECK_FALSE(ledger.has_lost("veth1"));
  CHECK(series(ledger, "skbtrail_interface_losses_total") == Series{{{"__deleted__", "rx_dropped"}, 4}});
}

}  // namespace
}  // namespace skbtrail
