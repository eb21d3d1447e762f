#pragma once
// Packets for filters: random bytes, and half-structured ones whose headers are often right and sometimes damaged.

#include <cstdint>
#include <random>
#include <vector>

#include "filter/link_form.h"

namespace skbtrail::test {

using Packet = std::vector<std::uint8_t>;

class PacketSource {
public:
  explicit PacketSource(std::uint32_t seed) : random_(seed) {}

  Packet next(LinkForm form);

private:
  std::uint32_t below(std::uint32_t limit) { return static_cast<std::uint32_t>(random_()) % limit; }
  bool one_in(std::uint32_t count) { return below(count) == 0; }
  std::uint8_t byte() { return static_cast<std::uint8_t>(random_()); }

  void append_link(Packet& packet);
  void append_network(Packet& packet, std::uint16_t ether_type);
  void append_ipv4(Packet& packet);
  void append_ipv6(Packet& packet);
  void append_arp(Packet& packet);
  void append_transport(Packet& packet, std::uint8_t protocol);
  void append_random(Packet& packet, std::size_t count);
  std::uint8_t protocol();
  std::uint16_t port();
  void damage(Packet& packet);

  std::mt19937 random_;
};

}  // namespace skbtrail::test
