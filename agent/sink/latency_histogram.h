#pragma once
// LatencyHistogram: how often which duration was seen, within 2 % and in little memory: 32 buckets for each power of
// two, and only those that were hit.

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

namespace skbtrail {

class LatencyHistogram final {
public:
  // Whether it took a new bucket. Without `may_grow` the next bucket there is has to do.
  bool add(std::uint64_t nanoseconds, bool may_grow = true) {
    const std::uint16_t bucket = bucket_of(nanoseconds);
    const auto at = std::ranges::lower_bound(buckets_, bucket, {}, &Entry::first);
    const bool there = at != buckets_.end() && at->first == bucket;
    const bool grows = !there && (may_grow || buckets_.empty());
    ++count_;
    if (grows)
      buckets_.insert(at, {bucket, 1});
    else
      ++(at != buckets_.end() ? at : at - 1)->second;
    return grows;
  }

  std::uint64_t count() const { return count_; }

  // The duration that `share` (0 to 1) of all do not exceed; 0 when there is none.
  std::uint64_t quantile(double share) const {
    const auto wanted =
        std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_))));
    std::uint64_t seen = 0;
    for (const auto& [bucket, count] : buckets_) {
      seen += count;
      if (seen >= wanted)
        return middle_of(bucket);
    }
    return 0;
  }

private:
  using Entry = std::pair<std::uint16_t, std::uint64_t>;
  static constexpr unsigned kBits = 5;
  static constexpr std::uint32_t kPerPower = 1U << kBits;

  // Durations below 32 ns are their own bucket.
  static std::uint16_t bucket_of(std::uint64_t value) {
    if (value < kPerPower)
      return static_cast<std::uint16_t>(value);
    const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - 1 - kBits;
    return static_cast<std::uint16_t>(std::uint64_t{shift + 1} * kPerPower + ((value >> shift) - kPerPower));
  }

  static std::uint64_t middle_of(std::uint16_t bucket) {
    if (bucket < kPerPower)
      return bucket;
    const unsigned shift = bucket / kPerPower - 1;
    const std::uint64_t lowest = std::uint64_t{kPerPower + bucket % kPerPower} << shift;
    return lowest + ((std::uint64_t{1} << shift) >> 1);
  }

  std::vector<Entry> buckets_;  // ascending
  std::uint64_t count_ = 0;
};

}  // namespace skbtrail
