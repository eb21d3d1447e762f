#include "decode/packet_headers.h"

#include <catch2/catch.hpp>

#include "support/record_builder.h"

using namespace skbtrail;
using namespace skbtrail::test;

namespace {

constexpr std::uint16_t kIp = 0x0800;
constexpr std::uint16_t kIp6 = 0x86dd;

std::optional<Tuple> tuple_of(std::uint16_t protocol, const PacketBytes& bytes) {
  return decode_headers(protocol, bytes).tuple;
}

PacketBytes first(std::size_t count, PacketBytes bytes) {
  bytes.resize(count);
  return bytes;
}

// An extension header of `words` times eight bytes.
PacketBytes extension(std::uint8_t next_header, std::uint8_t words = 1) {
  PacketBytes bytes(words * 8U, 0);
  bytes[0] = next_header;
  bytes[1] = static_cast<std::uint8_t>(words - 1);
  return bytes;
}

PacketBytes fragment_header(std::uint8_t next_header, unsigned offset_and_more) {
  PacketBytes bytes = {next_header, 0};
  append16(bytes, offset_and_more);
  bytes.insert(bytes.end(), {0, 0, 0, 1});
  return bytes;
}

}  // namespace

TEST_CASE("no bytes give no tuple") {
  for (const int protocol : {0, 0x0800, 0x86dd, 0x0806, 0x8100})
    CHECK_FALSE(tuple_of(static_cast<std::uint16_t>(protocol), {}));
}

TEST_CASE("an IPv4 header that is cut off gives no tuple") {
  CHECK_FALSE(tuple_of(kIp, first(19, ip4(6, tcp(1, 2)))));
}

TEST_CASE("a header of the other IP version is what it says: the protocol is of what a tunnel carries") {
  const auto six = tuple_of(kIp, ip6(6, tcp(1, 2)));
  REQUIRE(six);
  CHECK(six->source.version == 6);
  CHECK(six->destination_port == 2);
  const auto four = tuple_of(kIp6, ip4(6, joined({tcp(1, 2), tcp(1, 2)})));
  REQUIRE(four);
  CHECK(four->source.version == 4);
  CHECK(four->destination_port == 2);
}

TEST_CASE("a header of no IP version gives no tuple") {
  auto bytes = ip6(6, tcp(1, 2));
  bytes[0] = 0x50;
  CHECK_FALSE(tuple_of(kIp, bytes));
  CHECK_FALSE(tuple_of(kIp6, bytes));
}

TEST_CASE("an IPv4 header that says it is shorter than it must be keeps its addresses and loses its ports") {
  auto bytes = ip4(6, tcp(1, 2));
  bytes[0] = 0x44;
  const auto tuple = tuple_of(kIp, bytes);
  REQUIRE(tuple);
  CHECK(tuple->source.bytes[3] == 1);
  CHECK_FALSE(tuple->has_ports);
}

TEST_CASE("every cut of a packet decodes without reading behind it") {
  const PacketBytes packets[] = {
      ip4(6, tcp(1, 2), PacketBytes(8, 1)), ip4(51, joined({extension(6, 2), tcp(1, 2)})),
      ip6(0, joined({extension(43), extension(44), fragment_header(60, 1), extension(6, 2), tcp(1, 2)}))};
  for (const auto& packet : packets) {
    for (std::size_t size = 0; size <= packet.size(); ++size) {
      const std::vector<std::uint8_t> exact(packet.begin(), packet.begin() + static_cast<long>(size));
      for (const int protocol : {0, 0x0800, 0x86dd, 0x0806, 0x8100})
        (void)decode_headers(static_cast<std::uint16_t>(protocol), exact);
    }
  }
}

TEST_CASE("TCP over IPv4 gives addresses, ports and flags") {
  const auto tuple = tuple_of(kIp, ip4(6, tcp(40512, 80, 0x12)));
  REQUIRE(tuple);
  CHECK(tuple->source == IpAddress{4, {10, 9, 0, 1}});
  CHECK(tuple->destination == IpAddress{4, {10, 9, 0, 2}});
  CHECK(tuple->l4 == L4::Tcp);
  CHECK(tuple->has_ports);
  CHECK(tuple->source_port == 40512);
  CHECK(tuple->destination_port == 80);
  CHECK(tuple->tcp_flags == 0x12);
  CHECK_FALSE(tuple->fragment);
}

TEST_CASE("ports without the rest of the TCP header give no flags") {
  const auto tuple = tuple_of(kIp, first(24, ip4(6, tcp(40512, 80))));
  REQUIRE(tuple);
  CHECK(tuple->source_port == 40512);
  CHECK_FALSE(tuple->tcp_flags);
}

TEST_CASE("IPv4 options stand between addresses and ports") {
  CHECK(tuple_of(kIp, ip4(17, ports(53, 5353), PacketBytes(40, 1)))->source_port == 53);
}

TEST_CASE("UDP, SCTP and UDP-Lite have ports, and other protocols have none") {
  CHECK(tuple_of(kIp, ip4(17, ports(53, 5353)))->l4 == L4::Udp);
  CHECK(tuple_of(kIp, ip4(132, ports(53, 5353)))->l4 == L4::Sctp);
  CHECK(tuple_of(kIp, ip4(136, ports(53, 5353)))->has_ports);
  const auto gre = tuple_of(kIp, ip4(47, ports(53, 5353)));
  CHECK(gre->l4 == L4::Other);
  CHECK(gre->next_header == 47);
  CHECK_FALSE(gre->has_ports);
}

TEST_CASE("ICMP gives type and code") {
  const auto tuple = tuple_of(kIp, ip4(1, icmp(3, 13)));
  CHECK(tuple->l4 == L4::Icmp);
  CHECK(tuple->icmp_type == 3);
  CHECK(tuple->icmp_code == 13);
  CHECK_FALSE(tuple->has_ports);
}

TEST_CASE("the first IPv4 fragment has ports and a later one has none") {
  const auto head = tuple_of(kIp, ip4(17, ports(53, 5353), {}, 0x2000));
  CHECK(head->fragment);
  CHECK(head->has_ports);
  const auto tail = tuple_of(kIp, ip4(17, ports(53, 5353), {}, 0x00b9));
  CHECK(tail->fragment);
  CHECK(tail->l4 == L4::Udp);
  CHECK_FALSE(tail->has_ports);
  CHECK_FALSE(tuple_of(kIp, ip4(17, ports(53, 5353), {}, 0x4000))->fragment);
}

TEST_CASE("an IPv4 authentication header is walked") {
  PacketBytes authentication(24, 0);
  authentication[0] = 6;
  authentication[1] = 4;
  CHECK(tuple_of(kIp, ip4(51, joined({authentication, tcp(1, 2)})))->destination_port == 2);
}

TEST_CASE("TCP over IPv6 gives addresses and ports") {
  const auto tuple = tuple_of(kIp6, ip6(6, tcp(40512, 443)));
  REQUIRE(tuple);
  CHECK(tuple->source.version == 6);
  CHECK(tuple->source.bytes[0] == 0xfd);
  CHECK(tuple->source.bytes[15] == 1);
  CHECK(tuple->destination.bytes[15] == 2);
  CHECK(tuple->destination_port == 443);
}

TEST_CASE("IPv6 extension headers are walked to the transport") {
  const auto chain = joined({extension(60), extension(43, 2), extension(135), extension(6), tcp(40512, 443)});
  const auto tuple = tuple_of(kIp6, ip6(0, chain));
  CHECK(tuple->l4 == L4::Tcp);
  CHECK(tuple->next_header == 6);
  CHECK(tuple->destination_port == 443);
}

TEST_CASE("an IPv6 chain that is cut off gives a tuple without ports") {
  const auto bytes = ip6(0, joined({extension(60), extension(6, 4), tcp(40512, 443)}));
  const auto in_header = tuple_of(kIp6, first(44, bytes));
  REQUIRE(in_header);
  CHECK(in_header->next_header == 0);
  CHECK(in_header->l4 == L4::None);
  const auto behind_header = tuple_of(kIp6, first(60, bytes));
  CHECK(behind_header->l4 == L4::Tcp);
  CHECK_FALSE(behind_header->has_ports);
}

TEST_CASE("the first IPv6 fragment has ports and a later one has none") {
  const auto head = tuple_of(kIp6, ip6(44, joined({fragment_header(17, 1), ports(53, 5353)})));
  CHECK(head->fragment);
  CHECK(head->has_ports);
  const auto tail = tuple_of(kIp6, ip6(44, joined({fragment_header(17, 0x0b9 << 3), ports(53, 5353)})));
  CHECK(tail->fragment);
  CHECK(tail->l4 == L4::Udp);
  CHECK_FALSE(tail->has_ports);
}

TEST_CASE("an atomic IPv6 fragment is a whole packet") {
  const auto tuple = tuple_of(kIp6, ip6(44, joined({fragment_header(17, 0), ports(53, 5353)})));
  CHECK_FALSE(tuple->fragment);
  CHECK(tuple->has_ports);
}

TEST_CASE("encrypted payload and no next header end the chain") {
  CHECK(tuple_of(kIp6, ip6(50, ports(1, 2)))->l4 == L4::Other);
  CHECK(tuple_of(kIp6, ip6(59, {}))->l4 == L4::None);
}

TEST_CASE("ICMPv6 gives type and code") {
  const auto tuple = tuple_of(kIp6, ip6(58, icmp(135, 0)));
  CHECK(tuple->l4 == L4::Icmp6);
  CHECK(tuple->icmp_type == 135);
}

TEST_CASE("a VLAN tag before the network header is taken off") {
  const PacketBytes tag = {0x20, 0x64, 0x08, 0x00};
  const auto headers = decode_headers(0x8100, joined({tag, ip4(6, tcp(1, 2))}));
  CHECK(headers.vlan == 100);
  REQUIRE(headers.tuple);
  CHECK(headers.tuple->destination_port == 2);
}

TEST_CASE("of two VLAN tags the outer one is named") {
  const PacketBytes tags = {0x00, 0x64, 0x81, 0x00, 0x00, 0xc8, 0x86, 0xdd};
  const auto headers = decode_headers(0x88a8, joined({tags, ip6(6, tcp(1, 2))}));
  CHECK(headers.vlan == 100);
  CHECK(headers.tuple);
}

TEST_CASE("an ARP packet gives sender and target") {
  const PacketBytes arp = {0, 1, 8, 0, 6, 4, 0, 1, 2, 2, 2, 2, 2, 2, 10, 9, 0, 1, 0, 0, 0, 0, 0, 0, 10, 9, 0, 2};
  const auto tuple = tuple_of(0x0806, arp);
  REQUIRE(tuple);
  CHECK(tuple->source == IpAddress{4, {10, 9, 0, 1}});
  CHECK(tuple->destination == IpAddress{4, {10, 9, 0, 2}});
  CHECK(tuple->l4 == L4::None);
  CHECK_FALSE(tuple_of(0x0806, first(27, arp)));
}

TEST_CASE("a packet whose protocol is not set yet is known by its version") {
  CHECK(tuple_of(0, ip4(6, tcp(1, 2)))->l4 == L4::Tcp);
  CHECK(tuple_of(0, ip6(17, ports(1, 2)))->l4 == L4::Udp);
  CHECK_FALSE(tuple_of(0, PacketBytes(60, 0)));
}

TEST_CASE("a protocol that is not IP has no tuple") {
  CHECK_FALSE(tuple_of(0x8847, ip4(6, tcp(1, 2))));
}
