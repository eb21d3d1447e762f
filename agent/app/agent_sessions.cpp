#include "app/agent_sessions.h"

#include <unistd.h>

namespace skbtrail {

AgentSessions::AgentSessions(const Settings& settings)
    : log_(STDOUT_FILENO, settings.node),
      node_({.host = HostRoot{},
             .name = settings.node,
             .pods = settings.pods,
             .why_no_pods = settings.why_no_pods,
             .receivers = with(log_, settings.receivers)}),
      manager_(node_, settings.limits, settings.node, settings.listeners, with(log_, settings.receivers)) {}

std::vector<LineReceiver*> AgentSessions::with(LineReceiver& first, const std::vector<LineReceiver*>& others) {
  std::vector<LineReceiver*> all{&first};
  all.insert(all.end(), others.begin(), others.end());
  return all;
}

}  // namespace skbtrail
