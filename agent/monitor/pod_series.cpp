#include "monitor/pod_series.h"

namespace skbtrail {

void name_pods(const CounterFamily& family, SeriesNames& names) {
  family.for_each([&](const LabelValues& labels, std::uint64_t) {
    if (labels[1] == kDeletedLabel && labels[0] != kDeletedLabel)
      names.namespaces.insert(labels[0]);
    else if (!labels[1].empty() && !is_outside_budget(labels))
      names.pods.emplace(labels[0], labels[1]);
  });
}

void forget_pods(CounterFamily& family, const SeriesNames& gone) {
  family.fold([&](const LabelValues& labels) { return gone.pods.contains({labels[0], labels[1]}); });
  family.fold_deleted(0, gone.namespaces);
}

}  // namespace skbtrail
