#include "decode/tunnel_headers.h"

#include <catch2/catch.hpp>

#include "support/record_builder.h"

using namespace skbtrail;
using namespace skbtrail::test;

namespace {

PacketBytes frame(unsigned ethertype, const PacketBytes& rest) {
  PacketBytes bytes(12, 0x02);
  append16(bytes, ethertype);
  bytes.insert(bytes.end(), rest.begin(), rest.end());
  return bytes;
}

const PacketBytes kInnerIp = ip4(6, tcp(4711, 80));
const PacketBytes kInnerIp6 = ip6(17, ports(4711, 53));
const PacketBytes kVxlanHeader = {0x08, 0, 0, 0, 0, 0x01, 0x02, 0};

PacketBytes udp_to(unsigned port, std::initializer_list<PacketBytes> rest) {
  return joined({ports(50000, port), joined(rest)});
}

}  // namespace

TEST_CASE("what is no tunnel has none") {
  CHECK_FALSE(decode_tunnel({}));
  CHECK_FALSE(decode_tunnel(frame(0x0800, kInnerIp)));
  CHECK_FALSE(decode_tunnel(frame(0x0806, PacketBytes(28, 0))));
  CHECK_FALSE(decode_tunnel(frame(0x0800, ip4(17, udp_to(53, {kVxlanHeader})))));
}

TEST_CASE("headers that are cut off give what could be read") {
  const auto whole = frame(0x0800, ip4(17, udp_to(4789, {kVxlanHeader, frame(0x0800, kInnerIp)})));
  for (std::size_t size = 0; size < whole.size(); ++size)
    (void)decode_tunnel(std::span(whole).first(size));
  const auto cut = decode_tunnel(std::span(whole).first(14 + 20 + 8 + 8 + 20));
  REQUIRE(cut);
  CHECK(cut->id == 0x102);
  CHECK_FALSE(cut->tuple);
}

TEST_CASE("later fragments carry no headers") {
  CHECK_FALSE(decode_tunnel(frame(0x0800, ip4(47, PacketBytes(8, 0), {}, 0x0010))));
}

TEST_CASE("VXLAN has an id and an inner frame, over both versions of IP and behind a tag") {
  const auto udp = udp_to(4789, {kVxlanHeader, frame(0x0800, kInnerIp)});
  for (const auto& outer : {frame(0x0800, ip4(17, udp)), frame(0x86dd, ip6(17, udp)),
                            frame(0x8100, joined({{0, 5, 8, 0}, ip4(17, udp)}))}) {
    const auto tunnel = decode_tunnel(outer);
    REQUIRE(tunnel);
    CHECK(tunnel->kind == TunnelKind::Vxlan);
    CHECK(tunnel->id == 0x102);
    REQUIRE(tunnel->tuple);
    CHECK(tunnel->tuple->destination_port == 80);
  }
  CHECK(decode_tunnel(frame(0x0800, ip4(17, udp_to(8472, {kVxlanHeader, frame(0x86dd, kInnerIp6)}))))
            ->tuple->destination_port == 53);
}

TEST_CASE("Geneve options are stepped over") {
  const PacketBytes header = {0x02, 0, 0x65, 0x58, 0, 0, 7, 0, 1, 1, 1, 1, 2, 2, 2, 2};
  const auto tunnel = decode_tunnel(frame(0x0800, ip4(17, udp_to(6081, {header, frame(0x0800, kInnerIp)}))));
  REQUIRE(tunnel);
  CHECK(tunnel->kind == TunnelKind::Geneve);
  CHECK(tunnel->id == 7);
  CHECK(tunnel->tuple->source_port == 4711);
}

TEST_CASE("GRE may have a checksum, a key and a sequence number") {
  const auto plain = decode_tunnel(frame(0x0800, ip4(47, joined({{0, 0, 8, 0}, kInnerIp}))));
  REQUIRE(plain);
  CHECK(plain->kind == TunnelKind::Gre);
  CHECK_FALSE(plain->id);
  CHECK(plain->tuple->destination_port == 80);
  const PacketBytes all = {0xb0, 0, 0x65, 0x58, 9, 9, 0, 0, 0, 0, 0, 42, 0, 0, 0, 1};
  const auto keyed = decode_tunnel(frame(0x86dd, ip6(47, joined({all, frame(0x86dd, kInnerIp6)}))));
  REQUIRE(keyed);
  CHECK(keyed->id == 42);
  CHECK(keyed->tuple->destination_port == 53);
  CHECK_FALSE(decode_tunnel(frame(0x0800, ip4(47, {0x30, 1, 0x88, 0x0b, 0, 0, 0, 0}))));
}

TEST_CASE("IP in IP is told by what is in what, also behind an encapsulation limit") {
  CHECK(decode_tunnel(frame(0x0800, ip4(4, kInnerIp)))->kind == TunnelKind::IpInIp);
  CHECK(decode_tunnel(frame(0x0800, ip4(41, kInnerIp6)))->kind == TunnelKind::Ip6InIp);
  CHECK(decode_tunnel(frame(0x86dd, ip6(4, kInnerIp)))->kind == TunnelKind::IpInIp6);
  const PacketBytes limit = {41, 0, 4, 1, 4, 1, 0, 0};
  const auto tunnel = decode_tunnel(frame(0x86dd, ip6(60, joined({limit, kInnerIp6}))));
  REQUIRE(tunnel);
  CHECK(tunnel->kind == TunnelKind::Ip6InIp6);
  CHECK(tunnel->tuple->destination_port == 53);
}
