#pragma once
// LinkStatistics: what the kernel counts for each interface anyway, asked by rtnetlink.

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace skbtrail {

// A kernel counter of packets that an interface lost, under the kernel's own name.
struct LossCounter {
  const char* name = "";  // static
  std::uint64_t value = 0;
};

struct LinkStatistics {
  std::uint32_t ifindex = 0;
  std::string name = {};
  // As this interface sees it: received by it, sent through it. Since it was made.
  std::uint64_t rx_packets = 0;
  std::uint64_t rx_bytes = 0;
  std::uint64_t tx_packets = 0;
  std::uint64_t tx_bytes = 0;
  std::vector<LossCounter> losses = {};
};

// Every interface of the calling thread's network namespace. Any thread. EINTR: interfaces came or went while they were
// read (NLM_F_DUMP_INTR, as libmnl tells it), five times in a row.
Result<std::vector<LinkStatistics>> read_link_statistics();

}  // namespace skbtrail
