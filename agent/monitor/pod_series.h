#pragma once
// Series whose first two labels are the namespace and the name of a pod: of whom they are, and what becomes of them.

#include "monitor/counter_family.h"
#include "monitor/series_names.h"

namespace skbtrail {

// Adds the pods that have series, and the namespaces that have some of deleted pods.
void name_pods(const CounterFamily& family, SeriesNames& names);
// Folds the series of pods that are gone, and those of deleted pods of namespaces that are gone.
void forget_pods(CounterFamily& family, const SeriesNames& gone);

}  // namespace skbtrail
