#pragma once
// How far one of the kernel's counters has come, which begins anew when its device does.

#include <cstdint>

namespace skbtrail {

inline std::uint64_t counter_growth(std::uint64_t now, std::uint64_t before) {
  return now >= before ? now - before : now;
}

}  // namespace skbtrail
