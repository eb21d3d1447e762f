#include "sink/session_metrics.h"

#include <algorithm>
#include <functional>
#include <span>
#include <string>
#include <utility>

#include "sink/metric_values.h"

namespace skbtrail {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

MetricFamily by_phase(std::span<const SessionNumbers> sessions) {
  MetricFamily family{
      "skbtrail_sessions", "Trace sessions on this node that have not been forgotten.", MetricType::Gauge, {}};
  for (const auto phase : {SessionPhase::Pending, SessionPhase::Running, SessionPhase::Completed, SessionPhase::Failed,
                           SessionPhase::Expired}) {
    const auto count = std::ranges::count_if(sessions, [&](const auto& one) { return one.status.phase == phase; });
    family.metric.push_back(gauged({{"phase", std::string(name_of(phase))}}, static_cast<std::uint64_t>(count)));
  }
  return family;
}

}  // namespace

std::vector<MetricFamily> session_families(std::vector<SessionNumbers> sessions) {
  const auto phases = by_phase(sessions);
  std::ranges::sort(sessions, std::ranges::greater{}, &SessionNumbers::number);
  sessions.resize(std::min(sessions.size(), kMaxSessionSeries));
  MetricFamily events{"skbtrail_session_events_total", "Events that a session handed on.", MetricType::Counter, {}};
  MetricFamily packets{"skbtrail_session_packets_total", "Packets that a session followed.", MetricType::Counter, {}};
  MetricFamily lost{"skbtrail_events_lost_total",
                    "Events (packets, for tracking) that a session lost, by cause.",
                    MetricType::Counter,
                    {}};
  MetricFamily probes{"skbtrail_probes",
                      "Functions that a running session asked to trace, by what became of them.",
                      MetricType::Gauge,
                      {}};
  for (const auto& [key, status, number] : sessions) {
    const std::string name = key.text();
    events.metric.push_back(counted({{"session", name}}, status.events));
    packets.metric.push_back(counted({{"session", name}}, status.packets));
    for (const auto& [cause, count] : {std::pair{"ring", status.lost_ring}, std::pair{"budget", status.lost_budget},
                                       std::pair{"tracking", status.lost_tracking}})
      lost.metric.push_back(counted({{"session", name}, {"cause", cause}}, count));
    if (status.phase != SessionPhase::Running)
      continue;
    for (const auto& [state, count] :
         {std::pair{"attached", status.probes_attached}, std::pair{"rejected", status.probes_rejected}})
      probes.metric.push_back(gauged({{"session", name}, {"backend", status.backend}, {"state", state}}, count));
  }
  return {phases, std::move(events), std::move(packets), std::move(lost), std::move(probes)};
}

}  // namespace skbtrail
