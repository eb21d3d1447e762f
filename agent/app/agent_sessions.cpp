#include "app/agent_sessions.h"

namespace skbtrail {

AgentSessions::AgentSessions(const Settings& settings)
    : lines_(settings.receivers),
      node_({.host = HostRoot{},
             .name = settings.node,
             .pods = settings.pods,
             .why_no_pods = settings.why_no_pods,
             .receivers = {&lines_}}),
      manager_(node_, settings.limits, settings.node, settings.listeners, {&lines_}) {}

}  // namespace skbtrail
