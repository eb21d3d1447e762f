#pragma once
// What the push to a log store is to Prometheus. Pure.

#include <prometheus/metric_family.h>

#include <vector>

#include "sink/log_push.h"

namespace skbtrail {

std::vector<prometheus::MetricFamily> push_families(const PushNumbers& numbers);

}  // namespace skbtrail
