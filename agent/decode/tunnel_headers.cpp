#include "decode/tunnel_headers.h"

#include <algorithm>
#include <cstddef>

#include "decode/header_bytes.h"
#include "decode/packet_headers.h"

namespace skbtrail {

namespace {

constexpr std::uint8_t kIp = 4;
constexpr std::uint8_t kIp6 = 41;
constexpr std::uint8_t kGre = 47;

constexpr std::uint16_t kVxlanPort = 4789;
constexpr std::uint16_t kVxlanPortOfLinux = 8472;  // the kernel's default
constexpr std::uint16_t kGenevePort = 6081;

std::uint32_t read24(HeaderBytes bytes, std::size_t at) {
  return std::uint32_t{bytes[at]} << 16 | read16(bytes, at + 1);
}

// A layer, and what follows it.
struct Layer {
  std::uint16_t protocol = 0;  // EtherType, or IP protocol behind an IP header
  HeaderBytes bytes;
};

std::optional<Layer> behind_ethernet(HeaderBytes frame) {
  if (frame.size() < 14)
    return std::nullopt;
  Layer layer{.protocol = read16(frame, 12), .bytes = frame.subspan(14)};
  while ((layer.protocol == kEtherVlan || layer.protocol == kEtherQinQ) && layer.bytes.size() >= 4)
    layer = {.protocol = read16(layer.bytes, 2), .bytes = layer.bytes.subspan(4)};
  return layer;
}

std::optional<Layer> behind_ip(HeaderBytes bytes) {
  if (bytes.size() < 20 || bytes[0] >> 4 != 4 || (read16(bytes, 6) & 0x1fff) != 0)
    return std::nullopt;
  return Layer{.protocol = bytes[9], .bytes = behind(bytes, (bytes[0] & 0x0f) * std::size_t{4})};
}

// Tunnels carry options (the encapsulation limit), fragments are none.
std::optional<Layer> behind_ip6(HeaderBytes bytes) {
  if (bytes.size() < 40 || bytes[0] >> 4 != 6)
    return std::nullopt;
  Layer layer{.protocol = bytes[6], .bytes = bytes.subspan(40)};
  while (layer.protocol == kHopByHop || layer.protocol == kRouting || layer.protocol == kDestinationOptions) {
    if (layer.bytes.size() < 8)
      return std::nullopt;
    layer = {.protocol = layer.bytes[0], .bytes = behind(layer.bytes, (layer.bytes[1] + std::size_t{1}) * 8)};
  }
  return layer;
}

std::optional<Tuple> tuple_of_frame(HeaderBytes frame) {
  const auto layer = behind_ethernet(frame);
  return layer ? decode_headers(layer->protocol, layer->bytes).tuple : std::nullopt;
}

std::optional<Tuple> tuple_of(std::uint16_t ethertype, HeaderBytes bytes) {
  return ethertype == kEtherBridged ? tuple_of_frame(bytes) : decode_headers(ethertype, bytes).tuple;
}

std::optional<Tunnel> read_vxlan(HeaderBytes bytes) {
  if (bytes.size() < 8)
    return std::nullopt;
  const bool has_id = bytes[0] & 0x08;
  return Tunnel{.kind = TunnelKind::Vxlan,
                .id = has_id ? std::optional(read24(bytes, 4)) : std::nullopt,
                .tuple = tuple_of_frame(bytes.subspan(8))};
}

std::optional<Tunnel> read_geneve(HeaderBytes bytes) {
  if (bytes.size() < 8 || bytes[0] >> 6 != 0)
    return std::nullopt;
  const std::size_t options = (bytes[0] & 0x3f) * std::size_t{4};
  return Tunnel{.kind = TunnelKind::Geneve,
                .id = read24(bytes, 4),
                .tuple = tuple_of(read16(bytes, 2), behind(bytes, 8 + options))};
}

std::optional<Tunnel> read_gre(HeaderBytes bytes) {
  if (bytes.size() < 4 || (bytes[1] & 0x07) != 0)  // version 1 is PPTP
    return std::nullopt;
  const bool has_checksum = bytes[0] & 0x80;
  const bool has_key = bytes[0] & 0x20;
  const bool has_sequence = bytes[0] & 0x10;
  const std::size_t key_at = 4 + (has_checksum ? 4U : 0U);
  const std::size_t length = key_at + (has_key ? 4U : 0U) + (has_sequence ? 4U : 0U);
  Tunnel tunnel{.kind = TunnelKind::Gre, .tuple = tuple_of(read16(bytes, 2), behind(bytes, length))};
  if (has_key && bytes.size() >= key_at + 4)
    tunnel.id = std::uint32_t{read16(bytes, key_at)} << 16 | read16(bytes, key_at + 2);
  return tunnel;
}

std::optional<Tunnel> read_udp(HeaderBytes bytes) {
  if (bytes.size() < 8)
    return std::nullopt;
  switch (read16(bytes, 2)) {
    case kVxlanPort:
    case kVxlanPortOfLinux: return read_vxlan(bytes.subspan(8));
    case kGenevePort: return read_geneve(bytes.subspan(8));
    default: return std::nullopt;
  }
}

}  // namespace

std::optional<Tunnel> decode_tunnel(HeaderBytes frame) {
  const auto outer = behind_ethernet(frame);
  if (!outer)
    return std::nullopt;
  const bool is_ip6 = outer->protocol == kEtherIp6;
  if (!is_ip6 && outer->protocol != kEtherIp)
    return std::nullopt;
  const auto inner = is_ip6 ? behind_ip6(outer->bytes) : behind_ip(outer->bytes);
  if (!inner)
    return std::nullopt;
  switch (inner->protocol) {
    case kUdp: return read_udp(inner->bytes);
    case kGre: return read_gre(inner->bytes);
    case kIp:
      return Tunnel{.kind = is_ip6 ? TunnelKind::IpInIp6 : TunnelKind::IpInIp,
                    .tuple = tuple_of(kEtherIp, inner->bytes)};
    case kIp6:
      return Tunnel{.kind = is_ip6 ? TunnelKind::Ip6InIp6 : TunnelKind::Ip6InIp,
                    .tuple = tuple_of(kEtherIp6, inner->bytes)};
    default: return std::nullopt;
  }
}

}  // namespace skbtrail
