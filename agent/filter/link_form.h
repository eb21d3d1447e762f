#pragma once
// LinkForm: where offset 0 of a packet lies for a filter.

namespace skbtrail {

enum class LinkForm {
  L2,  // the Ethernet header
  L3,  // the IP header: the packet has no link header yet, or no longer
};

}  // namespace skbtrail
