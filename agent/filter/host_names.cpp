#include "filter/host_names.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstdint>
#include <regex>

namespace skbtrail {
namespace {

// What a word means that is no keyword: it inherits the kind of the one before, as in `port http or https`.
enum class Kind : std::uint8_t { Host, Local };

// All of pcap-filter(7) that compile on Ethernet or raw IP packets, and the names of values.
constexpr std::string_view kKeywords[] = {
    "dst",
    "src",
    "link",
    "ether",
    "ppp",
    "slip",
    "fddi",
    "tr",
    "wlan",
    "arp",
    "rarp",
    "ip",
    "sctp",
    "tcp",
    "udp",
    "icmp",
    "igmp",
    "igrp",
    "pim",
    "vrrp",
    "carp",
    "radio",
    "ip6",
    "icmp6",
    "ah",
    "esp",
    "atalk",
    "aarp",
    "decnet",
    "lat",
    "sca",
    "moprc",
    "mopdl",
    "iso",
    "esis",
    "es-is",
    "isis",
    "is-is",
    "l1",
    "l2",
    "iih",
    "lsp",
    "snp",
    "csnp",
    "psnp",
    "clnp",
    "stp",
    "ipx",
    "netbeui",
    "host",
    "net",
    "mask",
    "gateway",
    "less",
    "greater",
    "byte",
    "broadcast",
    "multicast",
    "len",
    "length",
    "inbound",
    "outbound",
    "ifindex",
    "vlan",
    "mpls",
    "pppoed",
    "pppoes",
    "geneve",
    "vxlan",
    "icmptype",
    "icmpcode",
    "tcpflags",
    "tcp-fin",
    "tcp-syn",
    "tcp-rst",
    "tcp-push",
    "tcp-ack",
    "tcp-urg",
    "tcp-ece",
    "tcp-cwr",
    "icmp6type",
    "icmp6code",
    "icmp-echoreply",
    "icmp-unreach",
    "icmp-sourcequench",
    "icmp-redirect",
    "icmp-echo",
    "icmp-routeradvert",
    "icmp-routersolicit",
    "icmp-timxceed",
    "icmp-paramprob",
    "icmp-tstamp",
    "icmp-tstampreply",
    "icmp-ireq",
    "icmp-ireqreply",
    "icmp-maskreq",
    "icmp-maskreply",
    "icmp6-destinationunreach",
    "icmp6-packettoobig",
    "icmp6-timeexceeded",
    "icmp6-parameterproblem",
    "icmp6-echo",
    "icmp6-echoreply",
    "icmp6-multicastlistenerquery",
    "icmp6-multicastlistenerreportv1",
    "icmp6-multicastlistenerdone",
    "icmp6-routersolicit",
    "icmp6-routeradvert",
    "icmp6-neighborsolicit",
    "icmp6-neighboradvert",
    "icmp6-redirect",
    "icmp6-routerrenum",
    "icmp6-nodeinformationquery",
    "icmp6-nodeinformationresponse",
    "icmp6-ineighbordiscoverysolicit",
    "icmp6-ineighbordiscoveryadvert",
    "icmp6-multicastlistenerreportv2",
    "icmp6-homeagentdiscoveryrequest",
    "icmp6-homeagentdiscoveryreply",
    "icmp6-mobileprefixsolicit",
    "icmp6-mobileprefixadvert",
    "icmp6-certpathsolicit",
    "icmp6-certpathadvert",
    "icmp6-multicastrouteradvert",
    "icmp6-multicastroutersolicit",
    "icmp6-multicastroutertermination",
};
// Of other link layers: they make libpcap look up what follows before it says that they do not fit.
constexpr std::string_view kForeignKeywords[] = {"addr1",    "addr2",    "addr3",    "addr4",    "address1",
                                                 "address2", "address3", "address4", "ra",       "ta",
                                                 "type",     "subtype",  "dir",      "direction"};
constexpr std::string_view kOfLocalNames[] = {"port", "portrange", "proto", "protochain"};
constexpr std::string_view kJoints[] = {"and", "or", "not"};

bool is_in(std::string_view word, const auto& words) {
  return std::ranges::find(words, word) != std::end(words);
}

bool is_word_letter(char letter) {
  return (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
         letter == '.' || letter == '-' || letter == '_' || letter == ':' || letter == '\\' || letter == '$' ||
         static_cast<unsigned char>(letter) >= 0x80;
}

// With dots, colons and dashes only where libpcap reads them as an address; "dead-beef" is a name. Ranges of ports
// follow `portrange`, where nothing is looked up.
bool is_number_or_address(const std::string& word) {
  static const std::regex kNumeric{R"((0[xX][0-9A-Fa-f]+|[0-9]+)(\.[0-9]+){0,3})"
                                   R"(|(0[xX][0-9A-Fa-f]+|[0-9]+)?:[0-9]*)"  // ip[2:2], ip[(len):2]
                                   R"(|[0-9A-Fa-f]{1,2}([:.-])[0-9A-Fa-f]{1,2}(\4[0-9A-Fa-f]{1,2}){4})"
                                   R"(|[0-9A-Fa-f]{4}(\.[0-9A-Fa-f]{4}){2}|\$[0-9A-Fa-f]{1,2})"};
  in6_addr address{};
  return std::regex_match(word, kNumeric) || ::inet_pton(AF_INET6, word.c_str(), &address) == 1;
}

// As libpcap takes words: those it has neither begin nor end with a dash, which is a minus there.
std::string trimmed(std::string word) {
  constexpr std::string_view kEdges = "-_";
  word.erase(0, std::min(word.find_first_not_of(kEdges), word.size()));
  word.erase(word.find_last_not_of(kEdges) + 1);
  return word;
}

}  // namespace

std::string looked_up_name(std::string_view expression) {
  Kind kind = Kind::Host;
  for (auto at = expression.begin(); at != expression.end();) {
    const auto begin = std::find_if(at, expression.end(), is_word_letter);
    const auto end = std::find_if_not(begin, expression.end(), is_word_letter);
    at = end;
    std::string word = trimmed({begin, end});
    if (word.empty() || is_number_or_address(word) || is_in(word, kJoints))
      continue;
    if (is_in(word, kOfLocalNames))
      kind = Kind::Local;
    else if (is_in(word, kKeywords) || is_in(word, kForeignKeywords))
      kind = Kind::Host;
    else if (kind == Kind::Host)
      return word;
  }
  return {};
}

}  // namespace skbtrail
