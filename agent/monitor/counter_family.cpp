#include "monitor/counter_family.h"

#include <algorithm>
#include <utility>

namespace skbtrail {

bool is_outside_budget(const LabelValues& labels) {
  return std::ranges::any_of(labels,
                             [](const auto& value) { return value == kOverflowLabel || value == kDeletedLabel; });
}

LabelValues with_label(LabelValues labels, const std::vector<std::size_t>& positions, std::string_view value) {
  for (const std::size_t position : positions)
    labels[position] = value;
  return labels;
}

void CounterFamily::add(const LabelValues& labels, std::uint64_t amount) {
  if (amount == 0)
    return;
  if (const auto known = series_.find(labels); known != series_.end()) {
    known->second += amount;
    return;
  }
  if (!is_outside_budget(labels)) {
    if (budget_->used >= budget_->limit) {
      ++capped_;
      series_[with_label(labels, description_.overflowing, kOverflowLabel)] += amount;
      return;
    }
    ++budget_->used;
  }
  series_.emplace(labels, amount);
}

void CounterFamily::fold(const std::function<bool(const LabelValues&)>& gone) {
  std::map<LabelValues, std::uint64_t> folded;
  for (auto one = series_.begin(); one != series_.end();) {
    if (is_outside_budget(one->first) || !gone(one->first)) {
      ++one;
      continue;
    }
    folded[with_label(one->first, description_.deletable, kDeletedLabel)] += one->second;
    one = series_.erase(one);
    --budget_->used;
  }
  for (const auto& [labels, value] : folded)
    series_[labels] += value;
}

void CounterFamily::fold_deleted(std::size_t position, const std::set<std::string>& values) {
  std::map<LabelValues, std::uint64_t> folded;
  for (auto one = series_.begin(); one != series_.end();) {
    const LabelValues& labels = one->first;
    const bool is_deleted = std::ranges::find(labels, kDeletedLabel) != labels.end();
    if (!is_deleted || !values.contains(labels[position])) {
      ++one;
      continue;
    }
    folded[with_label(labels, {position}, kDeletedLabel)] += one->second;
    one = series_.erase(one);
  }
  for (const auto& [labels, value] : folded)
    series_[labels] += value;
}

std::uint64_t CounterFamily::sum() const {
  std::uint64_t total = 0;
  for (const auto& [labels, value] : series_)
    total += value;
  return total;
}

prometheus::MetricFamily CounterFamily::metrics() const {
  prometheus::MetricFamily family{description_.name, description_.help, prometheus::MetricType::Counter, {}};
  family.metric.reserve(series_.size());
  for (const auto& [values, value] : series_) {
    auto& metric = family.metric.emplace_back();
    metric.counter.value = static_cast<double>(value);
    metric.label.reserve(values.size());
    for (std::size_t i = 0; i < values.size(); ++i)
      metric.label.push_back({description_.labels[i], values[i]});
  }
  return family;
}

prometheus::ClientMetric counter_metric(std::vector<prometheus::ClientMetric::Label> labels, double value) {
  prometheus::ClientMetric metric;
  metric.label = std::move(labels);
  metric.counter.value = value;
  return metric;
}

prometheus::ClientMetric gauge_metric(std::vector<prometheus::ClientMetric::Label> labels, double value) {
  prometheus::ClientMetric metric;
  metric.label = std::move(labels);
  metric.gauge.value = value;
  return metric;
}

}  // namespace skbtrail
