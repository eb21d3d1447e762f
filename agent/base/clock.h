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

}  // namespace skbtrail
