#pragma once
// Agent: the parts of `skbtrail agent`, made in the order in which they need each other, and ended in the opposite one.

#include <memory>
#include <string>

#include "api/metrics_server.h"
#include "app/agent_config.h"
#include "app/agent_kube.h"
#include "app/agent_pods.h"
#include "app/agent_sessions.h"
#include "base/result.h"
#include "monitor/monitor.h"

namespace skbtrail {

// Used by the main thread.
class Agent final {
public:
  // How late the kernel hears of a new pod.
  static constexpr std::chrono::milliseconds kFollowPods{100};

  // Counts, serves and takes sessions when it returns. What fails later is told in the log.
  static Result<std::unique_ptr<Agent>> start(const AgentConfig& config);
  ~Agent();

  // One turn of what has to be done every kFollowPods.
  void turn(Monitor::Clock::time_point now);
  // Takes over what may change while it runs.
  void take_over(const AgentConfig& config);

  std::uint16_t metrics_port() const { return metrics_->port(); }
  // What the user should be told of what is missing here, one line each.
  const std::vector<std::string>& lacks() const { return pods_.lacks; }

private:
  explicit Agent(AgentConfig config) : config_(std::move(config)) {}
  Result<> start_parts();
  Result<std::string> metrics_page(ExpositionFormat format);

  AgentConfig config_;
  HostRoot host_;
  AgentPods pods_;
  std::unique_ptr<Monitor> monitor_;
  std::unique_ptr<AgentKube> kube_;  // null: there is none. Outlives the sessions, whose last words it writes.
  std::unique_ptr<AgentSessions> sessions_;
  std::unique_ptr<MetricsServer> metrics_;
  Monitor::Clock::time_point next_collection_{};
};

}  // namespace skbtrail
