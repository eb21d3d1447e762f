#pragma once
// DropNames: who knows the names for the numbers of a drop. Borrowed by what turns drops into words.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "model/symbol.h"
#include "monitor/last_packet.h"
#include "pods/pod_index.h"

namespace skbtrail {

struct DropNames {
  const DropReasonNames* reasons = nullptr;  // null: the kernel gives no reasons (before 5.17)
  const SymbolResolver* locations = nullptr;
  std::function<std::string(std::uint32_t netns_inum, std::uint32_t ifindex)> interface = {};
  std::function<PodFound(const PacketPlace&)> pod = {};
  // The last packet of a key, without a location; nothing: not known any more.
  std::function<std::optional<LastPacket>(const monitor_drop_key&)> last_packet = {};

  DropReasonName reason(std::uint32_t raw) const {
    return reasons ? reasons->lookup(raw) : DropReasonName{.name = "NOT_SPECIFIED", .subsystem = "core"};
  }
};

}  // namespace skbtrail
