#pragma once
// KnownBounds: what is certain at one point of a filter, on every path that leads there. It saves checks that were
// made before, and the way through memory for an index that cannot leave the packet window.
//
// It claims nothing about a value that the verifiers from Linux 5.10 on would not find out for themselves. They go
// astray where comparisons contradict what they know: on such a path (dead, but they do not see it) they give up a
// register's bounds altogether. So a bound counts only as long as its register is not compared.

#include <linux/filter.h>

#include <algorithm>
#include <cstdint>
#include <limits>

namespace skbtrail {

struct KnownBounds {
  static constexpr std::uint32_t kUnknown = std::numeric_limits<std::uint32_t>::max();

  std::uint32_t linear = 0;   // the linear length is at least this
  std::uint32_t indexed = 0;  // X + this is at most the linear length; 0 says nothing
  std::uint32_t accumulator_max = kUnknown;
  std::uint32_t index_max = kUnknown;
  bool linked = false;  // A and X may be copies of one value: verifiers apply a comparison of one to both

  // What holds when control may come from either place.
  KnownBounds met_with(const KnownBounds& other) const {
    return {.linear = std::min(linear, other.linear),
            .indexed = std::min(indexed, other.indexed),
            .accumulator_max = std::max(accumulator_max, other.accumulator_max),
            .index_max = std::max(index_max, other.index_max),
            .linked = linked || other.linked};
  }

  // What holds after `instruction`. The checks a load makes are added by the one who emits them.
  KnownBounds after(const sock_filter& instruction) const;

private:
  void load_accumulator(std::uint32_t max);
  void load_index(std::uint32_t max);
  void move(const sock_filter& instruction);
  void calculate(const sock_filter& instruction);
  void compare(const sock_filter& instruction);
};

}  // namespace skbtrail
