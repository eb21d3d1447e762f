#include "filter/host_names.h"

#include <catch2/catch.hpp>
#include <string>

namespace skbtrail {
namespace {

TEST_CASE("expressions without a name that would be looked up") {
  for (const char* expression : {
           "",
           "tcp port 80",
           "tcp port http or https",
           "port (http or https) and not src portrange 1-1024",
           "host 10.0.0.1 and net 10.0.0.0/8 and net 192.168 mask 255.255.0.0",
           "ip6 host 2001:db8::1 or dst net fe80::/10 or host ::ffff:10.0.0.1",
           "ether host 0a:0b:0c:0d:0e:0f or ether dst 0a-0b-0c-0d-0e-0f or ether src 0a0b.0c0d.0e0f",
           "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0 and ip[2:2] - 4 > 0x1f",
           "icmp[icmptype] == icmp-echo or icmp6[icmp6type] == icmp6-echoreply",
           "ip proto \\tcp or ip6 protochain ospf",
           "ip[2:2]-20 > 100 and tcp[0:2]-tcp[2:2] = 0",
           "len-(ip[0]&0xf) > 9 and ip[(len):2] = 0",
           "vlan 5 and arp or len > 100 or greater 5",
       }) {
    INFO(expression);
    CHECK(looked_up_name(expression) == "");
  }
}

TEST_CASE("a name is found wherever libpcap would look one up") {
  const std::pair<const char*, const char*> cases[] = {
      {"host example.org", "example.org"},
      {"example", "example"},
      {"tcp and src kubernetes.default", "kubernetes.default"},
      {"host 10.0.0.1 or web-0", "web-0"},
      {"port 80 or host web", "web"},
      {"port http and tcp web", "web"},
      {"src port http and dst web", "web"},
      {"net localnet", "localnet"},
      {"host \\web", "\\web"},
      {"(not(web))", "web"},
      {"port 80 and gateway web", "web"},
      {"host dead-beef", "dead-beef"},
      {"host 1.2.3.4.example", "1.2.3.4.example"},
      {"host 10.0.0.1.2", "10.0.0.1.2"},
      {"port 80 or addr1 web", "web"},
      {"port 80 or ra web", "web"},
      {"host cafe.de:", "cafe.de:"},
      {"host aa.bb-cc.dd-ee.de", "aa.bb-cc.dd-ee.de"},
      {"host 80-90", "80-90"},
      {"host HOST", "HOST"},
      {"host b\xc3\xbc\x63her", "b\xc3\xbc\x63her"},
  };
  for (const auto& [expression, name] : cases) {
    INFO(expression);
    CHECK(looked_up_name(expression) == name);
  }
}

}  // namespace
}  // namespace skbtrail
