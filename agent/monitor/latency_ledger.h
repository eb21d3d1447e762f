#pragma once
// LatencyLedger: how long packets take, by pod and stage, as histograms that only ever grow. Used by one thread at a
// time.

#include <span>

#include "kernel/latency_object.h"
#include "monitor/histogram_family.h"
#include "monitor/pod_view.h"
#include "monitor/series_names.h"

namespace skbtrail {

// As the label `stage` has it.
const char* stage_name(latency_stage stage);

class LatencyLedger final {
public:
  // `budget` must outlive the ledger.
  explicit LatencyLedger(SeriesBudget& budget);

  // `rows` are what was timed since the last time.
  void take(std::span<const LatencyRow> rows, const PodView& pods);
  // Adds the pods that have series.
  void name(SeriesNames& names) const;
  // Folds the series of what is gone.
  void forget(const SeriesNames& gone);

  const HistogramFamily& family() const { return family_; }

private:
  HistogramFamily family_;
};

}  // namespace skbtrail
