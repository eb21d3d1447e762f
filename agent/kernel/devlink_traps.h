#pragma once
// DevlinkTraps: what devices dropped before the kernel had a packet, as their drivers tell devlink.

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace skbtrail {

// One reason for which one device keeps packets from being forwarded.
struct DevlinkTrap {
  std::string device = {};  // "pci/0000:03:00.0"
  std::string name = {};    // "source_mac_is_multicast"
  // Whether what it passes to the kernel's packet monitor is lost. Other traps (a neighbour to be resolved, a protocol
  // that the kernel speaks) pass packets on that are handled after all.
  bool takes_packets = false;
  std::uint64_t passed = 0;   // DEVLINK_ATTR_STATS_RX_PACKETS: shown to the kernel
  std::uint64_t dropped = 0;  // DEVLINK_ATTR_STATS_RX_DROPPED: dropped by the device without a word; Linux 5.14
};

// Takes one piece of the kernel's answer, of at most kMostTraps traps in all. MNL_CB_OK: more follows; MNL_CB_STOP: it
// was the last; MNL_CB_ERROR: errno says why. Pure.
int take_devlink_traps(std::span<const char> piece, std::vector<DevlinkTrap>& traps);

// Likewise of the names of devices, whatever they have. Pure.
int take_devlink_devices(std::span<const char> piece, std::set<std::string>& devices);

// Any thread; the network namespace is that of the calling thread.
class DevlinkTraps final {
public:
  // Beyond them traps are left out; a switch has about a hundred.
  static constexpr std::size_t kMostTraps = 4096;

  // Fails with ENOENT where the kernel has no devlink.
  static Result<DevlinkTraps> open();

  // All traps there are now; none where no device has any. Nothing is asked of devices that have none. EINTR: a device
  // came or went meanwhile, and the next reading has it. When a driver does not tell of a trap, the kernel ends its
  // answer there, as if no others were behind it (Linux 6.12: devlink_nl_trap_fill makes EMSGSIZE of any error).
  Result<std::vector<DevlinkTrap>> read() const;

  // The devices there are, also those without traps: tells what is gone from what was not read.
  Result<std::set<std::string>> devices() const;

private:
  explicit DevlinkTraps(std::uint16_t family) : family_(family) {}

  std::uint16_t family_;  // the number that this kernel gave to devlink
};

}  // namespace skbtrail
