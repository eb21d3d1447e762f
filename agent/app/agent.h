#pragma once
// Agent: the parts of `skbtrail agent`, made in the order in which they need each other, and ended in the opposite one.

#include <atomic>
#include <memory>
#include <string>

#include "api/metrics_server.h"
#include "app/agent_config.h"
#include "app/agent_kube.h"
#include "app/agent_output.h"
#include "app/agent_pods.h"
#include "app/agent_rest.h"
#include "app/agent_sessions.h"
#include "base/result.h"
#include "monitor/monitor.h"
#include "sink/log_push.h"

namespace skbtrail {

// Used by the main thread.
class Agent final {
public:
  // How late the kernel hears of a new pod.
  static constexpr std::chrono::milliseconds kFollowPods{100};
  // A loop that has not turned for so long stands still: /healthz says so.
  static constexpr std::chrono::seconds kStill{10};
  // And a monitor that could not read its tables for so long does not count: /readyz.
  static constexpr std::chrono::seconds kBlind{3 * Monitor::kPeriod};

  // Counts, serves and takes sessions when it returns. What fails later is told in the log of `output`, which outlives
  // it.
  static Result<std::unique_ptr<Agent>> start(const AgentConfig& config, AgentOutput& output);
  ~Agent();

  // How many connections its servers have at most.
  static std::size_t connections(const AgentConfig& config);

  // One turn of what has to be done every kFollowPods.
  void turn(Monitor::Clock::time_point now);
  // Takes over what may change while it runs.
  void take_over(const AgentConfig& config);

  std::uint16_t metrics_port() const { return metrics_->port(); }
  // Where else it serves something, one line each.
  std::vector<std::string> places() const;
  // What the user should be told of what is missing here, one line each.
  const std::vector<std::string>& lacks() const { return pods_.lacks; }

private:
  Agent(AgentConfig config, AgentOutput& output) : config_(std::move(config)), output_(output) {}
  Result<> start_parts();
  Result<> start_monitor();
  void start_sessions();
  Result<> start_rest();
  Result<> start_servers();
  std::vector<HealthCheck> health(HealthQuestion question) const;
  HealthCheck pods_health() const;
  void note_what_the_monitor_lacks();
  void note_why_no_pod_events();
  std::string why_no_pods() const;
  Result<std::string> metrics_page(ExpositionFormat format);

  AgentConfig config_;
  AgentOutput& output_;
  HostRoot host_;
  AgentPods pods_;
  // Null: there is none. Outlives the monitor, which tells it of pods, and the sessions, whose last words it writes.
  std::unique_ptr<AgentKube> kube_;
  PodTroubles pod_troubles_;
  std::unique_ptr<Monitor> monitor_;
  std::unique_ptr<LogPush> push_;  // null: none is wanted
  std::unique_ptr<AgentSessions> sessions_;
  Monitor::Clock::time_point next_collection_{};
  std::atomic<Monitor::Clock::time_point> turned_{};     // when the main loop last did
  std::atomic<Monitor::Clock::time_point> collected_{};  // when the tables were last read well
  // What follows asks all of the above, and goes first.
  std::unique_ptr<AgentRest> rest_;        // null: not wanted
  std::unique_ptr<MetricsServer> health_;  // null: beside the metrics
  std::unique_ptr<MetricsServer> metrics_;
};

}  // namespace skbtrail
