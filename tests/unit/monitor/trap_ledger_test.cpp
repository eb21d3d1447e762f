#include "monitor/trap_ledger.h"

#include <catch2/catch.hpp>
#include <vector>

namespace skbtrail {
namespace {

using Series = std::map<LabelValues, std::uint64_t>;

DevlinkTrap trap(std::uint64_t passed, std::uint64_t dropped) {
  return {.device = "pci/0000:03:00.0",
          .name = "vlan_tag_mismatch",
          .takes_packets = true,
          .passed = passed,
          .dropped = dropped};
}

Series series(const TrapLedger& ledger) {
  Series found;
  ledger.family().for_each([&](const LabelValues& labels, std::uint64_t value) { found[labels] = value; });
  return found;
}

void take(TrapLedger& ledger, const std::vector<DevlinkTrap>& traps) {
  CHECK(ledger.take(traps, {}) == 0);
}

TEST_CASE("a trap whose packets are handled after all lost only what the device did not show") {
  SeriesBudget budget;
  TrapLedger ledger{budget};
  auto exception = trap(7, 2);
  exception.takes_packets = false;
  take(ledger, {exception});
  CHECK(series(ledger) == Series{{{"pci/0000:03:00.0", "vlan_tag_mismatch", "rx_dropped"}, 2}});
}

TEST_CASE("what a device shows of its drops and what it does not are counted apart, once") {
  SeriesBudget budget;
  TrapLedger ledger{budget};
  take(ledger, {trap(3, 1)});
  take(ledger, {trap(3, 1)});
  take(ledger, {trap(5, 1)});
  CHECK(series(ledger) == Series{{{"pci/0000:03:00.0", "vlan_tag_mismatch", "rx_dropped"}, 1},
                                 {{"pci/0000:03:00.0", "vlan_tag_mismatch", "rx_packets"}, 5}});
}

TEST_CASE("a device that comes back, or is reset, takes nothing back") {
  SeriesBudget budget;
  TrapLedger ledger{budget};
  take(ledger, {trap(3, 0)});
  take(ledger, {trap(1, 0)});
  take(ledger, {});
  take(ledger, {trap(2, 0)});
  CHECK(series(ledger) == Series{{{"pci/0000:03:00.0", "vlan_tag_mismatch", "rx_packets"}, 6}});
}

TEST_CASE("what is not read of a device that is there goes on from where it was") {
  SeriesBudget budget;
  TrapLedger ledger{budget};
  const std::string device = trap(0, 0).device;
  auto other = trap(1, 0);
  other.name = "tail_drop";
  CHECK_FALSE(ledger.misses({}));
  take(ledger, {trap(3, 1), other});
  CHECK(ledger.misses({{other}}));
  CHECK_FALSE(ledger.misses({{other, trap(4, 1)}}));
  CHECK(ledger.take({{other}}, {device}) == 1);
  CHECK(ledger.take({}, {device, "pci/0000:04:00.0"}) == 2);
  CHECK(ledger.has(device));
  take(ledger, {trap(5, 1), other});
  CHECK(series(ledger) == Series{{{device, "tail_drop", "rx_packets"}, 1},
                                 {{device, "vlan_tag_mismatch", "rx_dropped"}, 1},
                                 {{device, "vlan_tag_mismatch", "rx_packets"}, 5}});
}

TEST_CASE("the counts of a device that is gone are kept together") {
  SeriesBudget budget;
  TrapLedger ledger{budget};
  take(ledger, {trap(3, 1)});
  CHECK(ledger.has("pci/0000:03:00.0"));
  take(ledger, {});
  CHECK_FALSE(ledger.has("pci/0000:03:00.0"));
  CHECK(ledger.named() == std::set<std::string>{"pci/0000:03:00.0"});
  ledger.forget({"pci/0000:03:00.0"});
  CHECK(series(ledger) == Series{{{std::string(kDeletedLabel), "vlan_tag_mismatch", "rx_dropped"}, 1},
                                 {{std::string(kDeletedLabel), "vlan_tag_mismatch", "rx_packets"}, 3}});
  CHECK(budget.used == 0);
}

}  // namespace
}  // namespace skbtrail
