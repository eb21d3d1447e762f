#pragma once
// What the agent knows of the pods of its node.

#include <memory>
#include <string>
#include <vector>

#include "kernel/host_root.h"
#include "monitor/monitor.h"
#include "pods/pod_source.h"

namespace skbtrail {

struct AgentPods {
  std::unique_ptr<PodSource> source;  // null: pods cannot be known here
  std::vector<std::string> lacks;     // what the user should be told, one line each
};

// `cri` is the container runtime's socket; empty: the first of the usual ones that answers. Waits a moment for the
// first answer, and goes on without one; a runtime that comes later is taken then.
AgentPods open_agent_pods(const HostRoot& host, const std::string& cri);

// The newest of `source`, which outlives what is returned; null: a node without pods.
PodViews pod_views(const PodSource* source);

}  // namespace skbtrail
