#pragma once
// Ends of packets that the kernel reports like drops, though nobody lost anything. Pure.

#include <string_view>

#include "model/symbol.h"

namespace skbtrail {

// Whether a packet that ended so was used up, or went with the socket or queue in which it waited; docs/metrics.md
// lists them. `location` is a kernel function.
bool is_normal_end(const DropReasonName& reason, std::string_view location);

}  // namespace skbtrail
