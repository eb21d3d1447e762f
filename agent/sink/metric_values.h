#pragma once
// Values of Prometheus' families, with their labels.

#include <prometheus/client_metric.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace skbtrail {

using MetricLabels = std::vector<std::pair<std::string, std::string>>;

inline prometheus::ClientMetric labelled(const MetricLabels& labels) {
  prometheus::ClientMetric metric;
  for (const auto& [name, value] : labels)
    metric.label.push_back({name, value});
  return metric;
}

inline prometheus::ClientMetric counted(const MetricLabels& labels, std::uint64_t value) {
  auto metric = labelled(labels);
  metric.counter.value = static_cast<double>(value);
  return metric;
}

inline prometheus::ClientMetric gauged(const MetricLabels& labels, std::uint64_t value) {
  auto metric = labelled(labels);
  metric.gauge.value = static_cast<double>(value);
  return metric;
}

}  // namespace skbtrail
