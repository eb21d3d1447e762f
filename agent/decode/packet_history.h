#pragma once
// PacketHistory: when each packet was last seen, for the time between two events of one packet.

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/lru_map.h"
#include "model/packet_event.h"
#include "model/packet_id_hash.h"

namespace skbtrail {

class PacketHistory final {
public:
  static constexpr std::size_t kMaxPackets = 65'536;

  // Beyond `max_packets` the packet that was seen longest ago is forgotten, and starts anew when it comes back.
  explicit PacketHistory(std::size_t max_packets = kMaxPackets) : last_seen_(max_packets) {}

  // Nanoseconds since this packet's previous event; absent for its first one, and when events of two CPUs arrive in
  // the wrong order.
  std::optional<std::uint64_t> since_last(const PacketId& packet, std::uint64_t now_ns) {
    const auto [last, is_new] = last_seen_.find_or_insert(packet);
    if (!is_new && now_ns < last)
      return std::nullopt;
    const std::uint64_t before = std::exchange(last, now_ns);
    return is_new ? std::nullopt : std::optional(now_ns - before);
  }

private:
  LruMap<PacketId, std::uint64_t, PacketIdHash> last_seen_;
};

}  // namespace skbtrail
