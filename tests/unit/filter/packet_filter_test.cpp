#include "filter/packet_filter.h"

#include <catch2/catch.hpp>
#include <string>

#include "support/ebpf_interpreter.h"

using namespace skbtrail;
using namespace skbtrail::test;

namespace {

using Bytes = std::vector<std::uint8_t>;

std::string refusal(std::string_view expression) {
  const auto filter = compile_filter(expression);
  REQUIRE_FALSE(filter);
  return filter.error().message;
}

CompiledFilter compiled(std::string_view expression) {
  auto filter = compile_filter(expression);
  if (!filter)
    FAIL(filter.error().message);
  return std::move(*filter);
}

bool matches(const std::vector<bpf_insn>& code, const Bytes& packet) {
  const auto verdict = interpret(code, {.linear = packet, .length = static_cast<std::uint32_t>(packet.size())});
  if (!verdict)
    FAIL(verdict.error().message);
  return *verdict != 0;
}

Bytes operator+(Bytes left, const Bytes& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

const Bytes kEthernetIpv4{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x00};
const Bytes kEthernetArp{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x06};

// 10.0.0.1:40000 → 10.0.0.2:`port`, TCP SYN
Bytes tcp_syn(std::uint16_t port) {
  return {0x45,
          0,
          0,
          40,
          0,
          0,
          0x40,
          0,
          64,
          6,
          0,
          0,
          10,
          0,
          0,
          1,
          10,
          0,
          0,
          2,
          0x9c,
          0x40,
          static_cast<std::uint8_t>(port >> 8),
          static_cast<std::uint8_t>(port),
          0,
          0,
          0,
          1,
          0,
          0,
          0,
          0,
          0x50,
          0x02,
          0xff,
          0xff,
          0,
          0,
          0,
          0};
}

}  // namespace

TEST_CASE("a misspelt expression is refused in libpcap's words") {
  CHECK(refusal("tcp prot 80") == "pcap filter 'tcp prot 80': syntax error (see pcap-filter(7))");
}

TEST_CASE("unbalanced parentheses are refused") {
  CHECK(refusal("(tcp port 80") == "pcap filter '(tcp port 80': syntax error (see pcap-filter(7))");
  CHECK(refusal("tcp port 80)") == "pcap filter 'tcp port 80)': syntax error (see pcap-filter(7))");
}

TEST_CASE("bytes that are no text are refused in one printable line") {
  for (const std::string_view garbage : {"\x01\x02", "\xff\xfe\xfd", "tcp\x7f", "\n\n;drop", "ip[", "%n%s"}) {
    const auto message = refusal(garbage);
    CHECK(message.find('\n') == std::string::npos);
    CHECK(message.starts_with("pcap filter '"));
  }
}

TEST_CASE("a zero byte does not hide the rest of an expression") {
  CHECK(refusal({"tcp\0 port 80", 12}) == "pcap filter 'tcp  port 80': contains a zero byte; remove it");
}

TEST_CASE("an expression of 1024 characters is accepted and one of 1025 refused") {
  const std::string blanks(kFilterExpressionLength - 3, ' ');
  CHECK(compile_filter(blanks + "tcp"));
  const auto message = refusal(blanks + " tcp");
  CHECK_THAT(message, Catch::EndsWith("1025 characters, more than the 1024 accepted; shorten the expression"));
  CHECK(message.size() < 200);
}

TEST_CASE("deep nesting neither crashes nor passes") {
  CHECK(refusal(std::string(1024, '(')).starts_with("pcap filter '((((("));
  CHECK(compile_filter(std::string(500, '(') + "tcp" + std::string(500, ')')));
}

TEST_CASE("an expression that can never match is refused") {
  CHECK(refusal("ip and arp") == "pcap filter 'ip and arp': expression rejects all packets (see pcap-filter(7))");
}

TEST_CASE("protochain is refused because filters in the kernel cannot loop") {
  CHECK_THAT(refusal("ip6 protochain 6"),
             Catch::Contains("loops, which filters in the kernel cannot; write 'proto' instead of 'protochain'"));
}

TEST_CASE("directions are refused because a packet's bytes do not hold them") {
  CHECK_THAT(refusal("inbound"), Catch::Contains("reads packet metadata instead of packet bytes"));
}

TEST_CASE("the empty expression matches everything") {
  const auto filter = compiled("");
  REQUIRE(filter.l3);
  CHECK(matches(filter.l2, {}));
  CHECK(matches(*filter.l3, {}));
}

TEST_CASE("a port matches with and without a link header") {
  const auto filter = compiled("tcp port 80");
  REQUIRE(filter.l3);
  CHECK(matches(filter.l2, kEthernetIpv4 + tcp_syn(80)));
  CHECK(matches(*filter.l3, tcp_syn(80)));
  CHECK_FALSE(matches(filter.l2, kEthernetIpv4 + tcp_syn(81)));
  CHECK_FALSE(matches(*filter.l3, tcp_syn(81)));
}

TEST_CASE("a packet that ends before the byte that is asked for does not match") {
  const auto filter = compiled("tcp port 80");
  auto packet = tcp_syn(80);
  packet.resize(23);
  CHECK_FALSE(matches(*filter.l3, packet));
}

TEST_CASE("arp matches with a link header and no IP packet without one") {
  const auto filter = compiled("arp");
  REQUIRE(filter.l3);
  CHECK(matches(filter.l2, kEthernetArp + Bytes(28)));
  CHECK_FALSE(matches(filter.l2, kEthernetIpv4 + tcp_syn(80)));
  CHECK_FALSE(matches(*filter.l3, tcp_syn(80)));
}

TEST_CASE("an alternative of ARP and TCP keeps its TCP half without a link header") {
  const auto filter = compiled("arp or tcp port 80");
  REQUIRE(filter.l3);
  CHECK(matches(*filter.l3, tcp_syn(80)));
  CHECK_FALSE(matches(*filter.l3, tcp_syn(81)));
}

TEST_CASE("what speaks of the link layer has no form without it") {
  for (const std::string_view expression :
       {"vlan 5", "vlan 5 and udp", "ether host 02:00:00:00:00:01", "ether[0] & 1 != 0", "tcp and link [ 12:2] = 0x800",
        "not ether[12:2]=5", "(ether[0]=1)", "byte 0 = 2", "mpls 100"})
    CHECK_FALSE(compiled(expression).l3);
}

TEST_CASE("what only looks like the link layer keeps its form without it") {
  for (const std::string_view expression : {"ip[0] & 0xf != 5", "ether proto 0x0800 and ip[8] = 64", "tcp[0:2] = 80"})
    CHECK(compiled(expression).l3);
}

TEST_CASE("a SYN is recognised by its flags") {
  const auto filter = compiled("tcp[13] & 2 != 0");
  auto packet = tcp_syn(80);
  CHECK(matches(*filter.l3, packet));
  packet[33] = 0x10;
  CHECK_FALSE(matches(*filter.l3, packet));
}

TEST_CASE("a length is compared with the whole packet, not with its linear part") {
  const auto filter = compiled("greater 100");
  const Bytes start(40);
  CHECK(*interpret(filter.l2, {.linear = start, .length = 100}) != 0);
  CHECK(*interpret(filter.l2, {.linear = start, .length = 99}) == 0);
}

TEST_CASE("a payload is found behind a TCP header of any length") {
  const auto filter = compiled("tcp[((tcp[12:1] & 0xf0) >> 2):4] = 0x47455420");
  auto packet = tcp_syn(80);
  packet[32] = 0x60;
  packet = packet + Bytes{1, 1, 1, 1, 'G', 'E', 'T', ' '};
  CHECK(matches(*filter.l3, packet));
  packet[32] = 0x50;
  CHECK_FALSE(matches(*filter.l3, packet));
}

TEST_CASE("bytes behind the window are read as long as they are linear") {
  const auto filter = compiled("ip[1000] = 7");
  auto packet = tcp_syn(80) + Bytes(1000);
  CHECK_FALSE(matches(*filter.l3, packet));
  packet[1000] = 7;
  CHECK(matches(*filter.l3, packet));
  packet.resize(1000);
  CHECK_FALSE(matches(*filter.l3, packet));
}
