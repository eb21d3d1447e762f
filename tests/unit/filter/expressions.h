#pragma once
// Expressions that the tests compare, verify and run: what people trace with, and what strains the translator.

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace skbtrail::test {

inline constexpr std::array<std::string_view, 51> kExpressions{
    "",
    "ip",
    "ip6",
    "arp",
    "not arp",
    "tcp",
    "udp or icmp6",
    "tcp port 80",
    "not tcp port 80",
    "udp portrange 50-60",
    "src port 443 or dst port 53",
    "port 80 or port 443 or port 53 or port 22",
    "host 10.0.0.1",
    "host 10.0.0.1 and tcp port 80",
    "src net 10.0.0.0/8 and not dst host 10.0.0.2",
    "net 10.0.0.0 mask 255.0.255.0",
    "ip6 host 2001:db8::1",
    "ip6 net 2001:db8::/32 and udp",
    "host 10.0.0.1 or host 2001:db8::2",
    "ip proto 132",
    "sctp port 4789",
    "icmp[icmptype] = icmp-echo",
    "ip[6:2] & 0x1fff != 0",
    "tcp[13] & 2 != 0",
    "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0",
    "tcp[((tcp[12:1] & 0xf0) >> 2):4] = 0x47455420",
    "tcp[((tcp[12] & 0xf0) >> 2) + 40:2] > 7",
    "udp[8:4] % 7 = 3",
    "ip[2:2] - ((ip[0] & 0xf) << 2) > 100",
    "ip[8] / ip[9] = 10",
    "ip[8] % ip[9] < 4",
    "ip[1] << ip[5] > 9",
    "ip[2:2] >> ip[0] = 0 and ip[2:2] >> (ip[0] & 3) > 7",
    "ip[4:2] * ip[8] ^ 0x55 & 0xff | 1 > 5",
    "0 - ip[4] > 0 - 70",
    "greater 100",
    "less 60",
    "len > 100 and len < 500 and tcp",
    "ip[300] & 7 = 1",
    "ip[len - 4:4] > 0x10000000",
    "ip[254:4] > 5 and ip[255:2] < 0x8000",
    "udp[ip[2:2]:2] > 1",
    "tcp[ip[2:2] & 0x1ff:4] > 1000000000 or ip[8] = 64",
    "ip[0xff000000] = 1",
    "ether host 02:00:00:00:00:01",
    "ether[0] & 1 != 0",
    "vlan",
    "vlan 5 and udp",
    "vlan and vlan 3 and tcp port 80",
    "ip6 and tcp",
    "geneve 5 and tcp port 80",
};

// As long as an expression may be, in three shapes: many compares, many branches, many helper calls.
inline std::vector<std::string> long_expressions() {
  const auto repeated = [](std::string expression, const auto& term) {
    for (int n = 2; expression.size() + term(n).size() + 4 <= 1024; ++n)
      expression += " or " + term(n);
    return expression;
  };
  const auto port = [](int n) { return "port " + std::to_string(n * 8); };
  const auto host = [](int n) { return "(src 10.0.0." + std::to_string(n) + " and tcp)"; };
  const auto byte = [](int n) { return "udp[" + std::to_string(300 + n) + ":2]<" + std::to_string(n * 90); };
  return {repeated(port(1), port), repeated(host(1), host), repeated(byte(1), byte)};
}

inline std::vector<std::string> every_expression() {
  std::vector<std::string> expressions = long_expressions();
  expressions.insert(expressions.end(), kExpressions.begin(), kExpressions.end());
  return expressions;
}

}  // namespace skbtrail::test
