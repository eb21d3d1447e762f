#pragma once
// PathLatency: times packets in slices, and keeps what came out. Used by one thread at a time.

#include <prometheus/metric_family.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "kernel/latency_object.h"
#include "monitor/latency_ledger.h"
#include "monitor/slice_schedule.h"

namespace skbtrail {

class PathLatency final {
public:
  using Time = SliceSchedule::Time;

  // After so many times on a way in a slice, or more, the next one times as many fewer packets; after less than a
  // quarter of them, four times as many. It begins with few, so that a busy node does not pay for finding out.
  static constexpr std::uint64_t kManyTimes = 10'000;
  static constexpr std::uint32_t kMaxOneIn = 256;
  static constexpr std::uint32_t kFirstOneIn = 64;

  // `percent` of the time, 1 to 100. The budget must outlive this.
  static Result<PathLatency> start(const HostRoot& host, std::uint64_t percent, const std::string& node,
                                   SeriesBudget& budget);

  // Begins and ends slices; call it often, at least ten times a second. An error is told once for each slice that it
  // spoils.
  Result<> turn(Time now, const PodView& pods);

  LatencyLedger& ledger() { return ledger_; }
  const LatencyLedger& ledger() const { return ledger_; }
  std::vector<ProgramRuns> runs() const { return object_.runs(); }
  Result<std::vector<prometheus::MetricFamily>> families() const;

private:
  // What is known of one way, out or in.
  struct Pace {
    std::uint32_t one_in = kFirstOneIn;
    double measured_seconds = 0;
    void adapt(std::uint64_t times);
  };

  PathLatency(LatencyObject object, SliceSchedule schedule, bool is_always, SeriesBudget& budget)
      : object_(std::move(object)), schedule_(schedule), is_always_(is_always), ledger_(budget) {}

  // A busy node's packets pay for each program that they meet: in one slice it times the way out, in the next one the
  // way in.
  TimedWay way_of(std::int64_t slice) const;
  Result<> begin(Time now);
  Result<> end(Time now, const PodView& pods);
  const Pace& pace_of(latency_stage stage) const { return stage <= LATENCY_WIRE ? out_ : in_; }

  LatencyObject object_;
  SliceSchedule schedule_;
  bool is_always_;
  LatencyLedger ledger_;
  std::optional<std::int64_t> slice_ = {};  // that was begun, or tried, last
  Time began_{};
  TimedWay way_ = TimedWay::Both;
  Pace out_, in_;
};

}  // namespace skbtrail
