#pragma once
// PacketIdHash: spreads packet identities; heads are aligned addresses, so their low bits say nothing.

#include <cstddef>

#include "model/packet_event.h"

namespace skbtrail {

struct PacketIdHash {
  std::size_t operator()(const PacketId& packet) const {
    std::uint64_t mixed = (packet.head ^ packet.born_ns * 0x9e3779b97f4a7c15ULL) * 0xbf58476d1ce4e5b9ULL;
    return static_cast<std::size_t>(mixed ^ mixed >> 32);
  }
};

}  // namespace skbtrail
