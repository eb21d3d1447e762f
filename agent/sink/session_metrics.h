#pragma once
// What sessions are to Prometheus. Pure; the numbers are those of a session's status.

#include <prometheus/metric_family.h>

#include <cstdint>
#include <vector>

#include "model/trace_session.h"

namespace skbtrail {

struct SessionNumbers {
  SessionKey key;
  NodeStatus status;
  std::uint64_t number = 0;  // in the order in which they came
};

// Of at most this many sessions each has series of its own, the newest first; all are counted by phase.
constexpr std::size_t kMaxSessionSeries = 100;

std::vector<prometheus::MetricFamily> session_families(std::vector<SessionNumbers> sessions);

}  // namespace skbtrail
