#pragma once
// Backoff: how long to wait before the next try: twice as long each time, with chance in it, so that all nodes of a
// cluster do not come back at the same moment.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>

namespace skbtrail {

class Backoff final {
public:
  using Duration = std::chrono::milliseconds;

  // Waits are between half and the whole of a step; steps go from `least` to `most`.
  Backoff(Duration least, Duration most, std::uint64_t seed) : least_(least), most_(most), random_(seed) {}

  Duration next() {
    const Duration step = step_.count() == 0 ? least_ : std::min(step_ * 2, most_);
    step_ = step;
    return Duration(std::uniform_int_distribution<std::int64_t>(step.count() / 2, step.count())(random_));
  }
  // It worked.
  void reset() { step_ = Duration(0); }

private:
  Duration least_;
  Duration most_;
  Duration step_{0};
  std::mt19937_64 random_;
};

}  // namespace skbtrail
