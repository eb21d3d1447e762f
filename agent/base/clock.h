#pragma once
// The machine's clocks in nanoseconds. Whoever decides by time takes it as an argument; the loops read it here.

#include <ctime>

#include <cstdint>

namespace skbtrail {

inline std::uint64_t clock_ns(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(now.tv_nsec);
}

inline std::uint64_t monotonic_ns() {
  return clock_ns(CLOCK_MONOTONIC);
}

inline std::uint64_t realtime_ns() {
  return clock_ns(CLOCK_REALTIME);
}

// Seconds since 1970.
inline std::int64_t unix_now() {
  return static_cast<std::int64_t>(realtime_ns() / 1'000'000'000);
}

// What the wall clock is ahead of the monotonic one: of three readings the one that took least time between its two.
inline std::int64_t realtime_offset_ns() {
  std::int64_t offset = 0;
  std::uint64_t least = UINT64_MAX;
  for (int reading = 0; reading < 3; ++reading) {
    const std::uint64_t before = monotonic_ns();
    const std::uint64_t wall = realtime_ns();
    const std::uint64_t took = monotonic_ns() - before;
    if (took >= least)
      continue;
    least = took;
    offset = static_cast<std::int64_t>(wall - before);
  }
  return offset;
}

}  // namespace skbtrail
