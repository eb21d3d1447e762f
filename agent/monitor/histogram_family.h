#pragma once
// HistogramFamily: the series of one histogram metric. They only ever grow; how many there are is bounded.

#include <prometheus/metric_family.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "monitor/counter_family.h"

namespace skbtrail {

// Counts of one histogram, by bucket and not cumulative; the last bucket has what is above all bounds.
struct HistogramCounts {
  std::vector<std::uint64_t> buckets;
  double sum = 0;

  void add(const HistogramCounts& other);
  std::uint64_t count() const;
};

class HistogramFamily final {
public:
  struct Description {
    CounterFamily::Description series;
    std::vector<double> bounds;  // ascending; there is one bucket more than these
  };

  // `budget` must outlive the family. A histogram takes as much of it as it has lines on the page; all together take
  // half of it at most, so that counters keep theirs.
  HistogramFamily(Description description, SeriesBudget& budget)
      : description_(std::move(description)), budget_(&budget) {}

  // `counts` has a bucket for each bound and one more. Nothing is made of an empty one.
  void add(const LabelValues& labels, const HistogramCounts& counts);
  // Adds each histogram of which `gone(labels)` holds to the one of what is deleted, and removes it.
  void fold(const std::function<bool(const LabelValues&)>& gone);

  template <class Visit>
  void for_each(Visit visit) const {
    for (const auto& [labels, counts] : series_)
      visit(labels, counts);
  }
  // Increases that went to an overflow series.
  std::uint64_t capped() const { return capped_; }
  const std::string& name() const { return description_.series.name; }
  prometheus::MetricFamily metrics() const;

private:
  std::size_t lines() const { return description_.bounds.size() + 3; }  // the last bucket, sum and count
  bool has_room() const;
  HistogramCounts& at(const LabelValues& labels);

  Description description_;
  SeriesBudget* budget_;
  std::size_t used_ = 0;  // of the budget
  std::map<LabelValues, HistogramCounts> series_;
  std::uint64_t capped_ = 0;
};

}  // namespace skbtrail
