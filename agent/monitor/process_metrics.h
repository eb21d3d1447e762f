#pragma once
// What this process itself uses, under the names that Prometheus clients share.

#include <prometheus/metric_family.h>

#include <vector>

#include "kernel/host_root.h"

namespace skbtrail {

// A family whose source cannot be read is left out.
std::vector<prometheus::MetricFamily> process_metrics(const HostRoot& host);

}  // namespace skbtrail
