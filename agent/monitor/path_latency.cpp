#include "monitor/path_latency.h"

#include <algorithm>
#include <utility>

namespace skbtrail {

using prometheus::MetricFamily;
using prometheus::MetricType;

Result<PathLatency> PathLatency::start(const HostRoot& host, std::uint64_t percent, const std::string& node,
                                       SeriesBudget& budget) {
  return PathLatency{TRY(LatencyObject::load(host)), SliceSchedule{percent, node}, budget};
}

Result<> PathLatency::turn(Time now, const PodView& pods) {
  const auto slice = schedule_.slice_at(now);
  if (object_.is_attached() && slice != slice_)
    TRY(end(now, pods));
  if (!slice || slice == slice_)
    return {};
  slice_ = slice;
  return begin(now);
}

Result<> PathLatency::begin(Time now) {
  TRY(object_.attach(one_in_));
  began_ = now;
  return {};
}

Result<> PathLatency::end(Time now, const PodView& pods) {
  object_.detach();
  const auto rows = TRY(object_.take());
  measured_seconds_ += std::chrono::duration<double>(now - began_).count();
  ledger_.take(rows, pods);
  std::uint64_t times = 0;
  for (const auto& row : rows)
    for (const auto count : row.times.buckets)
      times += count;
  adapt(times);
  return {};
}

void PathLatency::adapt(std::uint64_t times) {
  if (times < kManyTimes / 4)
    one_in_ = std::max(one_in_ / 4, 1U);
  // At once as many fewer as there were too many: each slice of a busy node costs.
  for (; times >= kManyTimes && one_in_ < kMaxOneIn; times /= 2)
    one_in_ *= 2;
}

Result<std::vector<MetricFamily>> PathLatency::families() const {
  std::vector<MetricFamily> all{ledger_.family().metrics()};
  all.push_back({"skbtrail_path_latency_measured_seconds_total",
                 "How long packets were timed: the share of time is its rate.",
                 MetricType::Counter,
                 {counter_metric({}, measured_seconds_)}});
  all.push_back({"skbtrail_path_latency_sampled_ratio",
                 "Share of packets that are timed while packets are timed: less than 1 where there are very many.",
                 MetricType::Gauge,
                 {gauge_metric({}, 1.0 / one_in_)}});
  all.push_back({"skbtrail_path_latency_untold_total",
                 "Times of packets that the kernel's table had no room for.",
                 MetricType::Counter,
                 {counter_metric({}, static_cast<double>(TRY(object_.untold())))}});
  return all;
}

}  // namespace skbtrail
