#pragma once
// Names in a pcap expression that libpcap would look up, which may ask DNS: whoever may only say what is traced must
// not make the agent send queries, or wait for them. Pure.

#include <string>
#include <string_view>

namespace skbtrail {

// The first name of a host or network, or of what may be one: every word that is no keyword of pcap-filter(7), no
// number and no address. Empty: there is none. Names of ports and protocols are found in files and do not count.
std::string looked_up_name(std::string_view expression);

}  // namespace skbtrail
