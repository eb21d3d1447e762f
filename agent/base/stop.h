#pragma once
// Stop: why a trace has to end: somebody asked for it, or its time is over.

#include <atomic>
#include <cstdint>
#include <limits>

namespace skbtrail {

// Any thread, and request() also a signal handler.
class Stop final {
public:
  void request() noexcept { requested_.store(true, std::memory_order_relaxed); }
  // CLOCK_MONOTONIC in nanoseconds.
  void end_at(std::uint64_t time_ns) noexcept { end_ns_.store(time_ns, std::memory_order_relaxed); }
  bool is_due(std::uint64_t now_ns) const noexcept {
    return requested_.load(std::memory_order_relaxed) || now_ns >= end_ns_.load(std::memory_order_relaxed);
  }

private:
  static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler sets it");
  std::atomic<bool> requested_{false};
  std::atomic<std::uint64_t> end_ns_{std::numeric_limits<std::uint64_t>::max()};
};

}  // namespace skbtrail
