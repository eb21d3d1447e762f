#include "app/agent.h"

#include <cstdio>
#include <utility>

#include "sink/session_metrics.h"

namespace skbtrail {
namespace {

SessionLimits limits_of(const AgentConfig& config) {
  return {.max_running = config.sessions_max_running, .max_waiting = config.sessions_max_waiting};
}

void tell(const Error& error) {
  std::fprintf(stderr, "skbtrail agent: %s\n", error.message.c_str());
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

Agent::~Agent() {
  metrics_.reset();
  if (kube_)
    kube_->quiesce();
}

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
  kube_ = TRY(AgentKube::open(config_));
  sessions_ = std::make_unique<AgentSessions>(AgentSessions::Settings{
      .node = config_.node,
      .limits = limits_of(config_),
      .pods = pods_.source.get(),
      .why_no_pods = pods_.source ? "" : "pods are not known on this node: no container runtime",
      .listeners = kube_ ? std::vector<SessionListener*>{&kube_->listener()} : std::vector<SessionListener*>{},
      .receivers = {}});
  sessions_->begin();
  if (kube_)
    kube_->begin(sessions_->manager());
  metrics_ = TRY(MetricsServer::start(*address, [this](ExpositionFormat format) { return metrics_page(format); }));
  next_collection_ = Monitor::Clock::now() + Monitor::kPeriod;
  return {};
}

// Tables are read also when nobody scrapes: they are finite.
void Agent::turn(Monitor::Clock::time_point now) {
  if (const auto followed = monitor_->follow_pods(); !followed)
    tell(followed.error());
  if (now < next_collection_)
    return;
  next_collection_ += Monitor::kPeriod;
  if (const auto collected = monitor_->collect(now); !collected)
    tell(collected.error());
}

void Agent::take_over(const AgentConfig& config) {
  config_ = reloaded(config_, config);
  sessions_->manager().set_limits(limits_of(config_));
}

Result<std::string> Agent::metrics_page(ExpositionFormat format) {
  const auto families = TRY(monitor_->collect(Monitor::Clock::now()));
  auto page = joined(exposition(*families, format), session_page(sessions_->manager(), format), format);
  return kube_ ? joined(page, kube_->metrics_page(format), format) : page;
}

}  // namespace skbtrail
