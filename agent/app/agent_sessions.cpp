#include "app/agent_sessions.h"

#include <unistd.h>

namespace skbtrail {

AgentSessions::AgentSessions(const Settings& settings)
    : log_(STDOUT_FILENO, settings.node),
      lines_(with(log_, settings.receivers)),
      node_({.host = HostRoot{},
             .name = settings.node,
             .pods = settings.pods,
             .why_no_pods = settings.why_no_pods,
             .receivers = {&lines_}}),
      manager_(node_, settings.limits, settings.node, settings.listeners, {&lines_}) {}

std::vector<LineReceiver*> AgentSessions::with(LineReceiver& first, std::vector<LineReceiver*> others) {
  others.insert(others.begin(), &first);
  return others;
}

}  // namespace skbtrail
