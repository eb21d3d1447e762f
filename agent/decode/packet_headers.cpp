#include "decode/packet_headers.h"

#include <algorithm>
#include <cstddef>

#include "decode/header_bytes.h"

namespace skbtrail {

namespace {

constexpr std::uint8_t kIcmp = 1;
constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kFragment = 44;
constexpr std::uint8_t kAuthentication = 51;
constexpr std::uint8_t kIcmp6 = 58;
constexpr std::uint8_t kNoNextHeader = 59;
constexpr std::uint8_t kSctp = 132;
constexpr std::uint8_t kMobility = 135;
constexpr std::uint8_t kUdpLite = 136;
constexpr std::uint8_t kHostIdentity = 139;
constexpr std::uint8_t kShim6 = 140;

constexpr std::size_t kIpHeader = 20;
constexpr std::size_t kIp6Header = 40;

IpAddress address(std::uint8_t version, HeaderBytes bytes) {
  IpAddress result{.version = version};
  std::copy(bytes.begin(), bytes.end(), result.bytes);
  return result;
}

L4 l4_of(std::uint8_t next_header) {
  switch (next_header) {
    case kTcp: return L4::Tcp;
    case kUdp: return L4::Udp;
    case kIcmp: return L4::Icmp;
    case kIcmp6: return L4::Icmp6;
    case kSctp: return L4::Sctp;
    case kNoNextHeader: return L4::None;
    default: return L4::Other;
  }
}

bool starts_with_ports(std::uint8_t next_header) {
  return next_header == kTcp || next_header == kUdp || next_header == kSctp || next_header == kUdpLite;
}

// `bytes` begin with the transport header; they are empty for a later fragment.
void read_transport(Tuple& tuple, HeaderBytes bytes) {
  tuple.l4 = l4_of(tuple.next_header);
  if (starts_with_ports(tuple.next_header) && bytes.size() >= 4) {
    tuple.has_ports = true;
    tuple.source_port = read16(bytes, 0);
    tuple.destination_port = read16(bytes, 2);
  }
  if (tuple.l4 == L4::Tcp && bytes.size() >= 14)
    tuple.tcp_flags = bytes[13];
  if ((tuple.l4 == L4::Icmp || tuple.l4 == L4::Icmp6) && bytes.size() >= 2) {
    tuple.icmp_type = bytes[0];
    tuple.icmp_code = bytes[1];
  }
}

bool is_extension(std::uint8_t next_header) {
  switch (next_header) {
    case kHopByHop:
    case kRouting:
    case kFragment:
    case kAuthentication:
    case kDestinationOptions:
    case kMobility:
    case kHostIdentity:
    case kShim6: return true;
    default: return false;
  }
}

// Length in bytes of the extension header that starts with these two bytes.
std::size_t extension_length(std::uint8_t kind, std::uint8_t length_field) {
  if (kind == kFragment)
    return 8;
  if (kind == kAuthentication)
    return (length_field + std::size_t{2}) * 4;
  return (length_field + std::size_t{1}) * 8;
}

// Walks to the transport header. Every step consumes at least 8 bytes, so it ends.
void read_chain(Tuple& tuple, HeaderBytes bytes) {
  while (is_extension(tuple.next_header)) {
    if (bytes.size() < 8)
      return;  // cut off: addresses, and the header that could not be read
    const std::size_t length = extension_length(tuple.next_header, bytes[1]);
    const bool later_fragment = tuple.next_header == kFragment && (read16(bytes, 2) & 0xfff8) != 0;
    tuple.fragment |= tuple.next_header == kFragment && (read16(bytes, 2) & 0xfff9) != 0;
    tuple.next_header = bytes[0];
    if (later_fragment) {
      // Behind a later fragment's header stands payload, whatever its next header names.
      tuple.l4 = is_extension(tuple.next_header) ? L4::None : l4_of(tuple.next_header);
      return;
    }
    bytes = behind(bytes, length);
  }
  read_transport(tuple, bytes);
}

std::optional<Tuple> read_ip(HeaderBytes bytes) {
  if (bytes.size() < kIpHeader || bytes[0] >> 4 != 4)
    return std::nullopt;
  Tuple tuple{.source = address(4, bytes.subspan(12, 4)), .destination = address(4, bytes.subspan(16, 4))};
  const std::uint16_t fragment = read16(bytes, 6);
  const std::size_t header = (bytes[0] & 0x0f) * std::size_t{4};
  tuple.next_header = bytes[9];
  tuple.fragment = (fragment & 0x3fff) != 0;
  const bool later_fragment = (fragment & 0x1fff) != 0;
  if (later_fragment || header < kIpHeader)
    read_transport(tuple, {});
  else if (tuple.next_header == kAuthentication)
    read_chain(tuple, behind(bytes, header));
  else
    read_transport(tuple, behind(bytes, header));
  return tuple;
}

std::optional<Tuple> read_ip6(HeaderBytes bytes) {
  if (bytes.size() < kIp6Header || bytes[0] >> 4 != 6)
    return std::nullopt;
  Tuple tuple{.source = address(6, bytes.subspan(8, 16)), .destination = address(6, bytes.subspan(24, 16))};
  tuple.next_header = bytes[6];
  read_chain(tuple, bytes.subspan(kIp6Header));
  return tuple;
}

// Sender and target of an IPv4 ARP packet; no transport.
std::optional<Tuple> read_arp(HeaderBytes bytes) {
  if (bytes.size() < 8 || read16(bytes, 2) != kEtherIp || bytes[5] != 4)
    return std::nullopt;
  const std::size_t hardware = bytes[4];
  if (bytes.size() < 16 + 2 * hardware)
    return std::nullopt;
  return Tuple{.source = address(4, bytes.subspan(8 + hardware, 4)),
               .destination = address(4, bytes.subspan(12 + 2 * hardware, 4))};
}

// A header that says it is IP and is not lying about its own length.
std::optional<Tuple> read_by_version(HeaderBytes bytes) {
  if (bytes.size() >= kIpHeader && bytes[0] >> 4 == 4 && (bytes[0] & 0x0f) >= 5)
    return read_ip(bytes);
  return read_ip6(bytes);
}

// A tunnel has put its header before the packet that it carries, and __ip_local_out() has not said so yet: the
// protocol is still that of the packet inside.
std::optional<Tuple> read_ip_of_either_version(std::uint16_t protocol, HeaderBytes bytes) {
  const auto tuple = protocol == kEtherIp ? read_ip(bytes) : read_ip6(bytes);
  return tuple ? tuple : read_by_version(bytes);
}

}  // namespace

PacketHeaders decode_headers(std::uint16_t protocol, std::span<const std::uint8_t> bytes) {
  PacketHeaders headers;
  while ((protocol == kEtherVlan || protocol == kEtherQinQ) && bytes.size() >= 4) {
    if (!headers.vlan)
      headers.vlan = read16(bytes, 0) & 0x0fff;
    protocol = read16(bytes, 2);
    bytes = bytes.subspan(4);
  }
  switch (protocol) {
    case kEtherIp:
    case kEtherIp6: headers.tuple = read_ip_of_either_version(protocol, bytes); break;
    case kEtherArp: headers.tuple = read_arp(bytes); break;
    case 0: headers.tuple = read_by_version(bytes); break;
    default: break;
  }
  return headers;
}

}  // namespace skbtrail
