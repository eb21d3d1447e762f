#include "support/packets.h"

#include <array>
#include <initializer_list>
#include <string_view>

namespace skbtrail::test {
namespace {

constexpr std::uint16_t kEtherIpv4 = 0x0800;
constexpr std::uint16_t kEtherArp = 0x0806;
constexpr std::uint16_t kEtherVlan = 0x8100;
constexpr std::uint16_t kEtherIpv6 = 0x86dd;

void append(Packet& packet, std::initializer_list<std::uint8_t> bytes) {
  packet.insert(packet.end(), bytes);
}

void append_number(Packet& packet, std::uint32_t value, int bytes) {
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8)
    packet.push_back(static_cast<std::uint8_t>(value >> shift));
}

}  // namespace

Packet PacketSource::next(LinkForm form) {
  Packet packet;
  if (one_in(8)) {
    append_random(packet, below(600));
    return packet;
  }
  if (form == LinkForm::L2)
    append_link(packet);
  else
    append_network(packet, one_in(3) ? kEtherIpv6 : kEtherIpv4);
  if (one_in(4))
    damage(packet);
  if (one_in(6))
    packet.resize(below(static_cast<std::uint32_t>(packet.size() + 1)));
  return packet;
}

void PacketSource::append_random(Packet& packet, std::size_t count) {
  for (std::size_t n = 0; n < count; ++n)
    packet.push_back(byte());
}

void PacketSource::append_link(Packet& packet) {
  append(packet, {0x02, 0x00, 0x00, 0x00, 0x00, static_cast<std::uint8_t>(below(3))});
  append(packet, {0x02, 0x00, 0x00, 0x00, 0x01, static_cast<std::uint8_t>(below(3))});
  while (one_in(4)) {
    append_number(packet, kEtherVlan, 2);
    append_number(packet, below(8), 2);
  }
  constexpr std::array kTypes{kEtherIpv4, kEtherIpv4, kEtherIpv6, kEtherArp};
  const auto type = one_in(16) ? static_cast<std::uint16_t>(below(0x10000)) : kTypes[below(kTypes.size())];
  append_number(packet, type, 2);
  append_network(packet, type);
}

void PacketSource::append_network(Packet& packet, std::uint16_t ether_type) {
  switch (ether_type) {
    case kEtherIpv4: return append_ipv4(packet);
    case kEtherIpv6: return append_ipv6(packet);
    case kEtherArp: return append_arp(packet);
    default: return append_random(packet, below(64));
  }
}

void PacketSource::append_ipv4(Packet& packet) {
  const std::uint32_t option_words = one_in(3) ? below(11) : 0;
  const auto next = protocol();
  packet.push_back(static_cast<std::uint8_t>(0x45 + option_words));
  packet.push_back(byte());
  append_number(packet, below(1500), 2);
  append(packet, {byte(), byte()});
  append_number(packet, one_in(5) ? below(0x10000) : 0x4000, 2);
  append(packet, {64, next, 0, 0, 10, 0, 0, static_cast<std::uint8_t>(below(3))});
  append(packet, {10, 0, 0, static_cast<std::uint8_t>(below(3))});
  append_random(packet, option_words * 4);
  append_transport(packet, next);
}

void PacketSource::append_ipv6(Packet& packet) {
  const auto next = protocol();
  append(packet, {0x60, 0, byte(), byte(), 0, 0, next, 64});
  for (int address = 0; address < 2; ++address) {
    append(packet, {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
    packet.push_back(static_cast<std::uint8_t>(below(3)));
  }
  append_transport(packet, next);
}

void PacketSource::append_arp(Packet& packet) {
  append(packet, {0, 1, 8, 0, 6, 4, 0, static_cast<std::uint8_t>(1 + below(2))});
  append_random(packet, 20);
}

std::uint8_t PacketSource::protocol() {
  constexpr std::array<std::uint8_t, 8> kProtocols{6, 6, 6, 17, 17, 1, 58, 132};
  return one_in(10) ? byte() : kProtocols[below(kProtocols.size())];
}

std::uint16_t PacketSource::port() {
  constexpr std::array<std::uint16_t, 7> kPorts{80, 443, 53, 8080, 22, 4789, 6081};
  return one_in(3) ? static_cast<std::uint16_t>(below(0x10000)) : kPorts[below(kPorts.size())];
}

void PacketSource::append_transport(Packet& packet, std::uint8_t protocol) {
  constexpr std::string_view kRequest = "GET / HTTP/1.1\r\n";
  append_number(packet, protocol == 1 && one_in(2) ? 0x0800 : port(), 2);  // ICMP echo
  append_number(packet, port(), 2);
  if (protocol == 6) {
    const std::uint32_t words = 5 + (one_in(3) ? below(11) : 0);
    append_random(packet, 8);
    append(packet, {static_cast<std::uint8_t>(words << 4), byte(), byte(), byte(), 0, 0, 0, 0});
    append_random(packet, (words - 5) * 4);
  } else {
    append_random(packet, 4);
  }
  if (one_in(2))
    packet.insert(packet.end(), kRequest.begin(), kRequest.end());
  append_random(packet, below(one_in(4) ? 1200 : 80));
}

void PacketSource::damage(Packet& packet) {
  for (int n = 0; n < 3 && !packet.empty(); ++n)
    packet[below(static_cast<std::uint32_t>(packet.size()))] = byte();
}

}  // namespace skbtrail::test
