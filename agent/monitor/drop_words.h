#pragma once
// Words for the numbers of a drop that become labels. Pure.

#include <linux/types.h>

#include <cstdint>
#include <string_view>

#include "model/symbol.h"
#include "monitor_abi.h"

namespace skbtrail {

// "tcp", "udp", "icmp", …; "arp" and the like for what is not IP; "other" for what has no word here.
std::string_view protocol_word(std::uint16_t l3_protocol, std::uint8_t l4_protocol);

// As the pod sees it: what the node sends into the pod's interface is ingress. "" when it is not known.
std::string_view direction_word(std::uint8_t direction, bool seen_from_host);

// Whether a packet that ended so was not lost: by its reason, or since it was never a network packet.
bool is_normal_end(const DropReasonName& reason, std::string_view location, std::uint8_t direction);

}  // namespace skbtrail
