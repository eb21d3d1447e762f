#include "app/agent.h"

#include <cstdio>
#include <utility>

#include "api/loki_client.h"
#include "sink/push_metrics.h"
#include "sink/session_metrics.h"

namespace skbtrail {
namespace {

SessionLimits limits_of(const AgentConfig& config) {
  return {.max_running = config.sessions_max_running, .max_waiting = config.sessions_max_waiting};
}

void tell(const std::string& line) {
  std::fprintf(stderr, "skbtrail agent: %s\n", line.c_str());
}

std::string session_page(const SessionManager& manager, ExpositionFormat format) {
  std::vector<SessionNumbers> numbers;
  for (auto& view : manager.list())
    numbers.push_back({.key = std::move(view.session.key), .status = std::move(view.status)});
  return exposition(session_families(numbers), format);
}

}  // namespace

Result<std::unique_ptr<Agent>> Agent::start(const AgentConfig& config) {
  std::unique_ptr<Agent> agent{new Agent{config}};
  TRY(agent->start_parts());
  return agent;
}

Agent::~Agent() = default;

Result<> Agent::start_parts() {
  auto address = parse_listen_address(config_.metrics_listen);
  if (!address)
    return within("metrics.listen", std::move(address.error()));
  pods_ = open_agent_pods(host_, config_.cri_socket);
  monitor_ = TRY(Monitor::start(host_,
                                {.max_series = config_.metrics_max_series,
                                 .drop_entries = static_cast<std::uint32_t>(config_.metrics_drop_entries),
                                 .version = SKBTRAIL_VERSION,
                                 .commit = SKBTRAIL_COMMIT},
                                pod_views(pods_.source.get())));
  TRY(start_push());
  sessions_ = std::make_unique<AgentSessions>(AgentSessions::Settings{
      .node = config_.node,
      .limits = limits_of(config_),
      .pods = pods_.source.get(),
      .why_no_pods = pods_.source ? "" : "pods are not known on this node: no container runtime",
      .listeners = {},
      .receivers = push_ ? std::vector<LineReceiver*>{push_.get()} : std::vector<LineReceiver*>{}});
  sessions_->begin();
  metrics_ = TRY(MetricsServer::start(*address, [this](ExpositionFormat format) { return metrics_page(format); }));
  next_collection_ = Monitor::Clock::now() + Monitor::kPeriod;
  return {};
}

Result<> Agent::start_push() {
  if (config_.loki_url.empty())
    return {};
  auto store = open_loki({.url = config_.loki_url,
                          .tenant = config_.loki_tenant,
                          .basic_auth_file = config_.loki_basic_auth_file,
                          .bearer_token_file = config_.loki_bearer_token_file,
                          .ca_file = config_.loki_ca_file});
  if (!store)
    return within("loki", std::move(store.error()));
  LokiLabels labels = config_.loki_labels;
  labels["node"] = config_.node;
  push_ = std::make_unique<LogPush>(LogPush::Settings{.node = config_.node,
                                                      .labels = std::move(labels),
                                                      .queue_bytes = config_.loki_queue_bytes,
                                                      .batch_bytes = config_.loki_batch_bytes,
                                                      .batch_time = config_.loki_batch_time},
                                    std::move(*store), [](const std::string& line) { tell(line); });
  return {};
}

// Tables are read also when nobody scrapes: they are finite.
void Agent::turn(Monitor::Clock::time_point now) {
  if (const auto followed = monitor_->follow_pods(); !followed)
    tell(followed.error().message);
  if (now < next_collection_)
    return;
  next_collection_ += Monitor::kPeriod;
  if (const auto collected = monitor_->collect(now); !collected)
    tell(collected.error().message);
}

void Agent::take_over(const AgentConfig& config) {
  config_ = reloaded(config_, config);
  sessions_->manager().set_limits(limits_of(config_));
}

Result<std::string> Agent::metrics_page(ExpositionFormat format) {
  const auto families = TRY(monitor_->collect(Monitor::Clock::now()));
  auto page = joined(exposition(*families, format), session_page(sessions_->manager(), format), format);
  return push_ ? joined(std::move(page), exposition(push_families(push_->numbers()), format), format) : page;
}

}  // namespace skbtrail
