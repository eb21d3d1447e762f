#pragma once
// AgentKube: the agent's side of Kubernetes, where there is one.

#include <memory>
#include <string>

#include "api/health.h"
#include "app/agent_config.h"
#include "base/result.h"
#include "kube/access_review.h"
#include "kube/pod_events.h"
#include "kube/session_controller.h"
#include "sink/agent_log.h"
#include "sink/exposition.h"

namespace skbtrail {

class AgentKube final {
public:
  // Null: not asked for, or `auto` and neither a kubeconfig nor a service account is there. An error: what is needed to
  // reach an API server is wrong or missing. That it does not answer is none: it is asked again and again.
  // `log` outlives it.
  static Result<std::unique_ptr<AgentKube>> open(const AgentConfig& config, AgentLog& log);

  // For the sessions' manager, which hears nothing of this before begin().
  SessionListener& listener() { return controller_.listener(); }
  // From now on Kubernetes' sessions are run by `control`, which lives until quiesce() returns.
  void begin(SessionControl& control) { controller_.begin(control); }
  void quiesce() { controller_.quiesce(); }

  // Who somebody with a token is, and what he may do. Any thread.
  AccessReview& access() { return access_; }
  // Whether it is heard what Kubernetes wants of this node. Never a failure: what REST asks for and counting go on.
  // Details are for the log alone: anybody may read a page of health. Any thread, from begin() on.
  HealthCheck health() const;
  // Who hears of what pods lose; null: nobody wants to. Any thread calls it, as long as this lives.
  PodDropListener pod_drops();
  std::string metrics_page(ExpositionFormat format) const;

private:
  AgentKube(KubeConfig server, const AgentConfig& config, AgentLog& log);

  std::shared_ptr<ApiEndpoint> endpoint_;
  AccessReview access_;
  SessionController controller_;
  std::unique_ptr<PodEvents> pod_events_;  // null: not wanted
};

}  // namespace skbtrail
