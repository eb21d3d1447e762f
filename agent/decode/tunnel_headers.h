#pragma once
// An Ethernet frame -> the tunnel in it. Pure; reads no byte that is not there.

#include <cstdint>
#include <optional>
#include <span>

#include "model/packet_event.h"

namespace skbtrail {

// Bytes of a frame that are enough for the inner ports in all but a Geneve packet with many options.
inline constexpr std::uint32_t kTunnelBytes = 192;

// VXLAN (UDP ports 4789 and 8472), Geneve (UDP port 6081), GRE, and IP in IP of both versions. Nothing for other
// packets, and for later fragments.
std::optional<Tunnel> decode_tunnel(std::span<const std::uint8_t> frame);

}  // namespace skbtrail
