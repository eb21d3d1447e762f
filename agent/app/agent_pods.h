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

// What of the sources of pods the log should tell: that the runtime does not answer, and what else could not be found
// out since it was asked last.
class PodTroubles final {
public:
  // One line each; empty: all is well, or there is no source (null).
  std::vector<std::string> take(const PodSource* source);

private:
  SandboxFaults told_;
};

}  // namespace skbtrail
