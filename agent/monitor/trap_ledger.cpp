#include "monitor/trap_ledger.h"

namespace skbtrail {
namespace {

CounterFamily::Description drops() {
  return {.name = "skbtrail_device_trap_drops_total",
          .help =
              "Packets that a device dropped before the kernel had them, by devlink trap; counter says whether it "
              "showed them to the kernel (rx_packets) or not (rx_dropped).",
          .labels = {"device", "trap", "counter"},
          .overflowing = {0},
          .deletable = {0}};
}

// A driver that is loaded anew starts again from zero.
std::uint64_t growth(std::uint64_t now, std::uint64_t before) {
  return now >= before ? now - before : now;
}

}  // namespace

TrapLedger::TrapLedger(SeriesBudget& budget) : drops_(drops(), budget) {}

void TrapLedger::take(std::span<const DevlinkTrap> traps) {
  std::map<std::pair<std::string, std::string>, DevlinkTrap> now;
  current_.clear();
  for (const auto& trap : traps) {
    const DevlinkTrap& before = last_[{trap.device, trap.name}];
    if (trap.takes_packets)
      drops_.add({trap.device, trap.name, "rx_packets"}, growth(trap.passed, before.passed));
    drops_.add({trap.device, trap.name, "rx_dropped"}, growth(trap.dropped, before.dropped));
    current_.insert(trap.device);
    now.insert_or_assign({trap.device, trap.name}, trap);
  }
  last_ = std::move(now);
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
