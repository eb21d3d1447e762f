#include "monitor/drop_words.h"

#include <netinet/in.h>

#include <algorithm>
#include <array>

#include "sink/normal_end.h"

namespace skbtrail {
namespace {

constexpr std::uint16_t kIpv4 = 0x0800;
constexpr std::uint16_t kIpv6 = 0x86DD;

struct Word {
  std::uint16_t number;
  std::string_view word;
};

constexpr std::array kTransports = {
    Word{IPPROTO_ICMP, "icmp"}, Word{IPPROTO_IGMP, "igmp"},       Word{IPPROTO_IPIP, "ipip"}, Word{IPPROTO_TCP, "tcp"},
    Word{IPPROTO_UDP, "udp"},   Word{IPPROTO_IPV6, "ipv6"},       Word{IPPROTO_GRE, "gre"},   Word{IPPROTO_ESP, "esp"},
    Word{IPPROTO_AH, "ah"},     Word{IPPROTO_ICMPV6, "icmpv6"},   Word{89, "ospf"},           Word{112, "vrrp"},
    Word{IPPROTO_SCTP, "sctp"}, Word{IPPROTO_UDPLITE, "udplite"},
};

constexpr std::array kLinkProtocols = {
    Word{0x0806, "arp"}, Word{0x88CC, "lldp"}, Word{0x8809, "lacp"}, Word{0x8847, "mpls"}, Word{0x888E, "eapol"},
};

template <std::size_t N>
std::string_view word_of(const std::array<Word, N>& words, std::uint16_t number) {
  const auto* found = std::ranges::find(words, number, &Word::number);
  return found == words.end() ? "other" : found->word;
}

}  // namespace

std::string_view protocol_word(std::uint16_t l3_protocol, std::uint8_t l4_protocol) {
  if (l3_protocol == kIpv4 || l3_protocol == kIpv6)
    return word_of(kTransports, l4_protocol);
  return word_of(kLinkProtocols, l3_protocol);
}

std::string_view direction_word(std::uint8_t direction, bool seen_from_host) {
  switch (direction) {
    case MONITOR_INGRESS: return seen_from_host ? "egress" : "ingress";
    case MONITOR_EGRESS: return seen_from_host ? "ingress" : "egress";
    default: return "";
  }
}

bool is_normal_end(const DropReasonName& reason, std::string_view location, std::uint8_t direction) {
  return direction == MONITOR_NO_NETWORK || is_normal_end(reason, location);
}

}  // namespace skbtrail
