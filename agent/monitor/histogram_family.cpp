#include "monitor/histogram_family.h"

#include <limits>
#include <numeric>
#include <utility>

namespace skbtrail {

void HistogramCounts::add(const HistogramCounts& other) {
  buckets.resize(other.buckets.size());
  for (std::size_t i = 0; i < buckets.size(); ++i)
    buckets[i] += other.buckets[i];
  sum += other.sum;
}

std::uint64_t HistogramCounts::count() const {
  return std::accumulate(buckets.begin(), buckets.end(), std::uint64_t{0});
}

void HistogramFamily::add(const LabelValues& labels, const HistogramCounts& counts) {
  if (counts.count() > 0)
    at(labels).add(counts);
}

bool HistogramFamily::has_room() const {
  return budget_->used + lines() <= budget_->limit && used_ + lines() <= budget_->limit / 2;
}

// Made if need be; the one of the overflow when there is no room.
HistogramCounts& HistogramFamily::at(const LabelValues& labels) {
  if (const auto known = series_.find(labels); known != series_.end())
    return known->second;
  if (is_outside_budget(labels))
    return series_[labels];
  if (!has_room()) {
    ++capped_;
    return series_[with_label(labels, description_.series.overflowing, kOverflowLabel)];
  }
  budget_->used += lines();
  used_ += lines();
  return series_[labels];
}

void HistogramFamily::fold(const std::function<bool(const LabelValues&)>& gone) {
  const std::size_t removed = rename_series(series_, [&](const LabelValues& labels) -> std::optional<LabelValues> {
    if (is_outside_budget(labels) || !gone(labels))
      return std::nullopt;
    return with_label(labels, description_.series.deletable, kDeletedLabel);
  });
  budget_->used -= removed * lines();
  used_ -= removed * lines();
}

prometheus::MetricFamily HistogramFamily::metrics() const {
  const auto& [name, help, names, overflowing, deletable] = description_.series;
  prometheus::MetricFamily family{name, help, prometheus::MetricType::Histogram, {}};
  family.metric.reserve(series_.size());
  for (const auto& [values, counts] : series_) {
    auto& metric = family.metric.emplace_back();
    for (std::size_t i = 0; i < values.size(); ++i)
      metric.label.push_back({names[i], values[i]});
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts.buckets.size(); ++i) {
      seen += counts.buckets[i];
      metric.histogram.bucket.push_back({.cumulative_count = seen,
                                         .upper_bound = i < description_.bounds.size()
                                                            ? description_.bounds[i]
                                                            : std::numeric_limits<double>::infinity()});
    }
    metric.histogram.sample_count = seen;
    metric.histogram.sample_sum = counts.sum;
  }
  return family;
}

}  // namespace skbtrail
