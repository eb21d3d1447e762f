#pragma once
// The bytes of protocol headers: what reads them, and the numbers that say which header follows.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace skbtrail {

using HeaderBytes = std::span<const std::uint8_t>;

// EtherTypes.
inline constexpr std::uint16_t kEtherIp = 0x0800;
inline constexpr std::uint16_t kEtherArp = 0x0806;
inline constexpr std::uint16_t kEtherBridged = 0x6558;  // a whole frame follows
inline constexpr std::uint16_t kEtherVlan = 0x8100;
inline constexpr std::uint16_t kEtherIp6 = 0x86dd;
inline constexpr std::uint16_t kEtherQinQ = 0x88a8;

// IP protocols and IPv6 extension headers.
inline constexpr std::uint8_t kHopByHop = 0;
inline constexpr std::uint8_t kUdp = 17;
inline constexpr std::uint8_t kRouting = 43;
inline constexpr std::uint8_t kDestinationOptions = 60;

// In network byte order; `bytes` has them.
inline std::uint16_t read16(HeaderBytes bytes, std::size_t at) {
  return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

// What is left behind `count` bytes; empty when there are fewer.
inline HeaderBytes behind(HeaderBytes bytes, std::size_t count) {
  return bytes.subspan(std::min(count, bytes.size()));
}

}  // namespace skbtrail
