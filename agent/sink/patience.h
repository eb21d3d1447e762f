#pragma once
// Patience: how long an output waits for its reader while the trace stops. Before that it waits as long as it takes.

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "base/stop.h"

namespace skbtrail {

class Patience final {
public:
  static constexpr std::chrono::seconds kWithoutProgress{1};
  static constexpr std::chrono::seconds kInAll{5};

  // `waiting_since_ns`: when the reader last took something. Times are CLOCK_MONOTONIC.
  bool is_over(const Stop& stop, std::uint64_t waiting_since_ns, std::uint64_t now_ns) {
    if (!stop.is_due(now_ns))
      return false;
    if (stopping_since_ns_ == 0)
      stopping_since_ns_ = now_ns;
    return passed(kWithoutProgress, std::max(waiting_since_ns, stopping_since_ns_), now_ns) ||
           passed(kInAll, stopping_since_ns_, now_ns);
  }

private:
  static bool passed(std::chrono::nanoseconds time, std::uint64_t since_ns, std::uint64_t now_ns) {
    return now_ns - since_ns >= static_cast<std::uint64_t>(time.count());
  }

  std::uint64_t stopping_since_ns_ = 0;  // 0: not seen yet
};

}  // namespace skbtrail
