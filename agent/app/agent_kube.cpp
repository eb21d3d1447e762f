#include "app/agent_kube.h"

#include <optional>
#include <utility>

#include "sink/kube_metrics.h"

namespace skbtrail {
namespace {

// As kubectl has it.
constexpr const char* kNamespaceOfNone = "default";

Result<std::optional<KubeConfig>> find_config(const AgentConfig& config) {
  if (config.kubernetes_enabled == Enabled::No)
    return std::optional<KubeConfig>();
  if (!config.kubeconfig.empty())
    return std::optional(TRY(read_kubeconfig(config.kubeconfig)));
  auto own = in_cluster_config();
  if (own)
    return std::optional(std::move(*own));
  if (config.kubernetes_enabled == Enabled::Auto && own.error().code == ENOENT)
    return std::optional<KubeConfig>();
  return own.error();
}

std::string lease_namespace(const KubeConfig& server, const AgentConfig& config) {
  if (!config.kubernetes_namespace.empty())
    return config.kubernetes_namespace;
  return server.namespace_name.empty() ? kNamespaceOfNone : server.namespace_name;
}

}  // namespace

Result<std::unique_ptr<AgentKube>> AgentKube::open(const AgentConfig& config, AgentLog& log) {
  auto server = find_config(config);
  if (!server)
    return within("kubernetes", std::move(server.error()));
  if (!*server)
    return std::unique_ptr<AgentKube>();
  return std::unique_ptr<AgentKube>{new AgentKube(std::move(**server), config, log)};
}

AgentKube::AgentKube(KubeConfig server, const AgentConfig& config, AgentLog& log)
    : endpoint_(std::make_shared<ApiEndpoint>(std::move(server))),
      access_(endpoint_),
      controller_(endpoint_, {.node = config.node,
                              .namespace_name = lease_namespace(endpoint_->config(), config),
                              .log = log.teller("kubernetes: ")}) {
  if (config.kubernetes_pod_events)
    pod_events_ = std::make_unique<PodEvents>(endpoint_, config.node, log.teller("kubernetes: "));
}

PodDropListener AgentKube::pod_drops() {
  if (!pod_events_)
    return nullptr;
  return [this](const PodDrop& drop) { pod_events_->note(drop); };
}

HealthCheck AgentKube::health() const {
  HealthCheck check{.name = "apiserver", .failure = {}};
  if (!controller_.troubles().empty())
    check.degraded =
        "sessions of Kubernetes are not followed, the agent's log says why; those by REST and metrics go on";
  else if (!controller_.is_current())
    check.degraded = "the API server has not told yet which sessions there are";
  return check;
}

std::string AgentKube::metrics_page(ExpositionFormat format) const {
  return exposition(kube_families({.requests = endpoint_->counts(),
                                   .pod_events = pod_events_ ? std::optional(pod_events_->counts()) : std::nullopt,
                                   .is_leader = controller_.is_leader(),
                                   .is_followed = controller_.is_current() && controller_.troubles().empty()}),
                    format);
}

}  // namespace skbtrail
