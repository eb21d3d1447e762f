#pragma once
// LastPacket: the last packet that a counter counted, and what an exemplar says of it. Pure.

#include <linux/types.h>

#include <string>

#include "monitor_abi.h"
#include "sink/exposition.h"

namespace skbtrail {

struct LastPacket {
  monitor_last_packet packet = {};
  double seconds = 0;         // when it was dropped, since the epoch
  std::string location = {};  // kernel function; empty where a label of the counter says it
};

// Addresses, ports and location, as far as they are known. The location goes first where OpenMetrics has no room.
Exemplar exemplar_of(const LastPacket& packet);

}  // namespace skbtrail
