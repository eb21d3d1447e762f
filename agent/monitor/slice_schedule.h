#pragma once
// SliceSchedule: when packets are timed: for a part of each period, at another point of it on each node. Pure.

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace skbtrail {

class SliceSchedule final {
public:
  using Time = std::chrono::steady_clock::time_point;

  static constexpr std::chrono::milliseconds kPeriod{10'000};

  // `percent`: 0 is never, 100 is always. `node`: so that not all nodes of a cluster measure at once.
  SliceSchedule(std::uint64_t percent, const std::string& node)
      : length_(kPeriod * static_cast<std::int64_t>(percent) / 100),
        offset_(static_cast<std::int64_t>(std::hash<std::string>{}(node) % static_cast<std::size_t>(kPeriod.count()))) {
  }

  // The number of the slice that goes on at `now`; nothing: none does.
  std::optional<std::int64_t> slice_at(Time now) const {
    const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()) + offset_;
    if (since % kPeriod >= length_)
      return std::nullopt;
    return since / kPeriod;
  }

private:
  std::chrono::milliseconds length_;
  std::chrono::milliseconds offset_;
};

}  // namespace skbtrail
