#pragma once
// Softnet: what the kernel's receive queues, one for each CPU, lost or left for later. Pure parse.

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace skbtrail {

// Sums over CPUs since boot.
struct SoftnetCounts {
  std::uint64_t dropped = 0;     // the queue was full (net.core.netdev_max_backlog)
  std::uint64_t squeezed = 0;    // rounds that ended with packets left (net.core.netdev_budget): late, not lost
  std::uint64_t flow_limit = 0;  // one flow took too much of the queue
};

// `text` is /proc/net/softnet_stat: one line of hexadecimal numbers a CPU.
Result<SoftnetCounts> parse_softnet(std::string_view text);

}  // namespace skbtrail
