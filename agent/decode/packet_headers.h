#pragma once
// Packet bytes from the network header on -> Tuple. Pure; reads no byte that is not there.

#include <cstdint>
#include <optional>
#include <span>

#include "model/packet_event.h"

namespace skbtrail {

struct PacketHeaders {
  std::optional<Tuple> tuple;         // absent: not IP or ARP, or too short for its addresses
  std::optional<std::uint16_t> vlan;  // id of the outermost tag that stands in front of the network header
};

// `protocol` is the EtherType in host order. 0 (a packet whose protocol the kernel has not set yet) is decided by
// the version nibble. Headers that are cut off leave a tuple with what was readable before the cut.
PacketHeaders decode_headers(std::uint16_t protocol, std::span<const std::uint8_t> bytes);

}  // namespace skbtrail
