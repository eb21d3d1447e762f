#pragma once
// What sessions are to Prometheus. Pure; the numbers are those of a session's status.

#include <prometheus/metric_family.h>

#include <span>
#include <vector>

#include "model/trace_session.h"

namespace skbtrail {

struct SessionNumbers {
  SessionKey key;
  NodeStatus status;
};

// Of at most this many sessions each has series of its own, the newest first; all are counted by phase.
constexpr std::size_t kMaxSessionSeries = 100;

std::vector<prometheus::MetricFamily> session_families(std::span<const SessionNumbers> sessions);

}  // namespace skbtrail
