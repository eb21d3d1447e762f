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

void CounterFamily::add(const LabelValues& labels, std::uint64_t amount, const std::optional<LastPacket>& packet) {
  if (amount == 0)
    return;
  auto at = series_.lower_bound(labels);
  if (at == series_.end() || at->first != labels) {
    if (!take_room(labels)) {
      ++capped_;
      series_[with_label(labels, description_.overflowing, kOverflowLabel)].value += amount;
      return;
    }
    at = series_.emplace_hint(at, labels, Series{});
  }
  at->second.value += amount;
  auto& last = at->second.last_packet;
  if (packet && (!last || last->seconds <= packet->seconds))
    last = std::make_shared<const Exemplar>(exemplar_of(*packet));
}

bool CounterFamily::take_room(const LabelValues& labels) {
  if (is_outside_budget(labels))
    return true;
  if (budget_->used >= budget_->limit)
    return false;
  ++budget_->used;
  return true;
}

void CounterFamily::fold(const std::function<bool(const LabelValues&)>& gone) {
  budget_->used -= rename_series(series_, [&](const LabelValues& labels) -> std::optional<LabelValues> {
    if (is_outside_budget(labels) || !gone(labels))
      return std::nullopt;
    return with_label(labels, description_.deletable, kDeletedLabel);
  });
}

void CounterFamily::fold_deleted(std::size_t position, const std::set<std::string>& values) {
  rename_series(series_, [&](const LabelValues& labels) -> std::optional<LabelValues> {
    const bool is_deleted = std::ranges::find(labels, kDeletedLabel) != labels.end();
    if (!is_deleted || !values.contains(labels[position]))
      return std::nullopt;
    return with_label(labels, {position}, kDeletedLabel);
  });
}

std::uint64_t CounterFamily::sum() const {
  std::uint64_t total = 0;
  for (const auto& [labels, one] : series_)
    total += one.value;
  return total;
}

prometheus::MetricFamily CounterFamily::metrics() const {
  prometheus::MetricFamily family{description_.name, description_.help, prometheus::MetricType::Counter, {}};
  family.metric.reserve(series_.size());
  for (const auto& [values, one] : series_) {
    auto& metric = family.metric.emplace_back();
    metric.counter.value = static_cast<double>(one.value);
    metric.label.reserve(values.size());
    for (std::size_t i = 0; i < values.size(); ++i)
      metric.label.push_back({description_.labels[i], values[i]});
  }
  return family;
}

std::vector<std::shared_ptr<const Exemplar>> CounterFamily::exemplars() const {
  std::vector<std::shared_ptr<const Exemplar>> exemplars;
  exemplars.reserve(series_.size());
  for (const auto& [values, one] : series_)
    exemplars.push_back(one.last_packet);
  return exemplars;
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
