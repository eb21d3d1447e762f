#include "monitor/path_latency.h"

#include <algorithm>
#include <utility>

namespace skbtrail {

using prometheus::MetricFamily;
using prometheus::MetricType;

namespace {

// One series for each stage that is told.
template <class Value>
std::vector<prometheus::ClientMetric> by_stage(bool tells_delivery, const Value& value) {
  std::vector<prometheus::ClientMetric> series;
  for (const auto stage : {LATENCY_TRANSMIT, LATENCY_QDISC, LATENCY_WIRE, LATENCY_RECEIVE, LATENCY_SOCKET})
    if (stage != LATENCY_RECEIVE || tells_delivery)
      series.push_back(value(stage));
  return series;
}

}  // namespace

Result<PathLatency> PathLatency::start(const HostRoot& host, std::uint64_t percent, const std::string& node,
                                       SeriesBudget& budget) {
  return PathLatency{TRY(LatencyObject::load(host)), SliceSchedule{percent, node}, percent >= 100, budget};
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

TimedWay PathLatency::way_of(std::int64_t slice) const {
  const bool is_busy = out_.one_in > 1 || in_.one_in > 1;
  if (is_always_ || !is_busy)
    return TimedWay::Both;
  return slice % 2 == 0 ? TimedWay::Out : TimedWay::In;
}

Result<> PathLatency::begin(Time now) {
  way_ = way_of(*slice_);
  const auto& pace = way_ == TimedWay::In ? in_ : out_;
  TRY(object_.attach(way_, way_ == TimedWay::Both ? std::max(out_.one_in, in_.one_in) : pace.one_in));
  began_ = now;
  return {};
}

Result<> PathLatency::end(Time now, const PodView& pods) {
  object_.detach();
  const auto rows = TRY(object_.take());
  ledger_.take(rows, pods);
  std::uint64_t times_out = 0;
  std::uint64_t times_in = 0;
  for (const auto& row : rows)
    for (const auto count : row.times.buckets)
      (row.key.stage <= LATENCY_WIRE ? times_out : times_in) += count;
  const double seconds = std::chrono::duration<double>(now - began_).count();
  if (way_ != TimedWay::In) {
    out_.measured_seconds += seconds;
    out_.adapt(times_out);
  }
  if (way_ != TimedWay::Out) {
    in_.measured_seconds += seconds;
    in_.adapt(times_in);
  }
  return {};
}

void PathLatency::Pace::adapt(std::uint64_t times) {
  if (times < kManyTimes / 4)
    one_in = std::max(one_in / 4, 1U);
  // At once as many fewer as there were too many: each slice of a busy node costs.
  for (; times >= kManyTimes && one_in < kMaxOneIn; times /= 2)
    one_in *= 2;
}

Result<std::vector<MetricFamily>> PathLatency::families() const {
  std::vector<MetricFamily> all{ledger_.family().metrics()};
  const bool tells_delivery = object_.tells_delivery();
  all.push_back({"skbtrail_path_latency_measured_seconds_total",
                 "How long packets were timed in this stage: the share of time is its rate.", MetricType::Counter,
                 by_stage(tells_delivery, [&](latency_stage stage) {
                   return counter_metric({{"stage", stage_name(stage)}}, pace_of(stage).measured_seconds);
                 })});
  all.push_back({"skbtrail_path_latency_sampled_ratio",
                 "Share of packets that are timed in this stage while it is measured: less than 1 where there are very "
                 "many.",
                 MetricType::Gauge, by_stage(tells_delivery, [&](latency_stage stage) {
                   return gauge_metric({{"stage", stage_name(stage)}}, 1.0 / pace_of(stage).one_in);
                 })});
  all.push_back({"skbtrail_path_latency_untold_total",
                 "Times of packets that the kernel's table had no room for.",
                 MetricType::Counter,
                 {counter_metric({}, static_cast<double>(TRY(object_.untold())))}});
  return all;
}

}  // namespace skbtrail
