#include "monitor/trap_ledger.h"

#include <algorithm>

#include "monitor/counter_growth.h"

namespace skbtrail {
namespace {

CounterFamily::Description trap_drops() {
  return {.name = "skbtrail_device_trap_drops_total",
          .help =
              "Packets that a device dropped before the kernel had them, by devlink trap; counter says whether it "
              "showed them to the kernel (rx_packets) or not (rx_dropped).",
          .labels = {"device", "trap", "counter"},
          .overflowing = {0},
          .deletable = {0}};
}

}  // namespace

TrapLedger::TrapLedger(SeriesBudget& budget) : drops_(trap_drops(), budget) {}

bool TrapLedger::misses(std::span<const DevlinkTrap> traps) const {
  std::set<Readings::key_type> read;
  for (const auto& trap : traps)
    read.emplace(trap.device, trap.name);
  return std::ranges::any_of(last_, [&](const auto& entry) { return !read.contains(entry.first); });
}

std::size_t TrapLedger::take(std::span<const DevlinkTrap> traps, const std::set<std::string>& present) {
  Readings now;
  current_.clear();
  for (const auto& trap : traps) {
    const DevlinkTrap& before = last_[{trap.device, trap.name}];
    if (trap.takes_packets)
      drops_.add({trap.device, trap.name, "rx_packets"}, counter_growth(trap.passed, before.passed));
    drops_.add({trap.device, trap.name, "rx_dropped"}, counter_growth(trap.dropped, before.dropped));
    current_.insert(trap.device);
    now.insert_or_assign({trap.device, trap.name}, trap);
  }
  std::size_t unread = 0;
  for (const auto& [name, before] : last_)
    if (present.contains(name.first) && now.emplace(name, before).second) {
      current_.insert(name.first);
      ++unread;
    }
  last_ = std::move(now);
  return unread;
}

std::set<std::string> TrapLedger::named() const {
  std::set<std::string> devices;
  drops_.for_each([&](const LabelValues& labels, std::uint64_t) { devices.insert(labels[0]); });
  return devices;
}

void TrapLedger::forget(const std::set<std::string>& gone) {
  drops_.fold([&](const LabelValues& labels) { return gone.contains(labels[0]); });
}

}  // namespace skbtrail
