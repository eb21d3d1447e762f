#include "app/agent.h"

#include <utility>

#include "app/agent_push.h"
#include "app/kube_authorizer.h"
#include "sink/push_metrics.h"
#include "sink/session_metrics.h"

namespace skbtrail {
namespace {

SessionLimits limits_of(const AgentConfig& config) {
  return {.max_running = config.sessions_max_running, .max_waiting = config.sessions_max_waiting};
}

std::string session_page(const SessionManager& manager, ExpositionFormat format) {
  std::vector<SessionNumbers> numbers;
  for (auto& view : manager.list())
    numbers.push_back({.key = std::move(view.session.key), .status = std::move(view.status)});
  return exposition(session_families(numbers), format);
}

}  // namespace

Result<std::unique_ptr<Agent>> Agent::start(const AgentConfig& config, AgentOutput& output) {
  std::unique_ptr<Agent> agent{new Agent{config, output}};
  TRY(agent->start_parts());
  return agent;
}

Agent::~Agent() {
  if (kube_)
    kube_->access().interrupt();  // first: whoever serves waits for those who ask
  metrics_.reset();
  health_.reset();
  rest_.reset();
  if (kube_)
    kube_->quiesce();
}

Result<> Agent::start_parts() {
  turned_ = collected_ = Monitor::Clock::now();
  pods_ = open_agent_pods(host_, config_.cri_socket);
  monitor_ = TRY(Monitor::start(host_,
                                {.max_series = config_.metrics_max_series,
                                 .drop_entries = static_cast<std::uint32_t>(config_.metrics_drop_entries),
                                 .latency_percent = config_.metrics_latency_percent,
                                 .node = config_.node,
                                 .version = SKBTRAIL_VERSION,
                                 .commit = SKBTRAIL_COMMIT},
                                pod_views(pods_.source.get())));
  if (!monitor_->why_untimed().empty())
    pods_.lacks.push_back("latency of packets is not measured: " + monitor_->why_untimed());
  push_ = TRY(open_log_push(config_, output_.log().teller()));
  kube_ = TRY(AgentKube::open(config_, output_.log()));
  start_sessions();
  if (kube_)
    kube_->begin(sessions_->manager());
  TRY(start_rest());
  TRY(start_servers());
  next_collection_ = Monitor::Clock::now() + Monitor::kPeriod;
  return {};
}

std::string Agent::why_no_pods() const {
  return pods_.source ? "" : "pods are not known on this node: no container runtime";
}

void Agent::start_sessions() {
  std::vector<SessionListener*> listeners;
  if (kube_)
    listeners.push_back(&kube_->listener());
  std::vector<LineReceiver*> receivers{&output_.lines()};
  if (push_)
    receivers.push_back(push_.get());
  sessions_ = std::make_unique<AgentSessions>(AgentSessions::Settings{.node = config_.node,
                                                                      .limits = limits_of(config_),
                                                                      .pods = pods_.source.get(),
                                                                      .why_no_pods = why_no_pods(),
                                                                      .listeners = std::move(listeners),
                                                                      .receivers = receivers});
  sessions_->begin();
}

// After Kubernetes' side has begun, which its page of health asks.
Result<> Agent::start_rest() {
  rest_ = TRY(AgentRest::start(
      {.config = config_,
       .version = SKBTRAIL_VERSION,
       .control = sessions_->manager(),
       .audit = sessions_->lines(),
       .log = output_.log(),
       .pods = pods_.source.get(),
       .why_no_pods = why_no_pods(),
       .health = [this](HealthQuestion question) { return health(question); },
       .kubernetes = kube_ ? std::make_unique<KubeAuthorizer>(kube_->access(), output_.log().teller()) : nullptr}));
  return {};
}

Result<> Agent::start_servers() {
  auto address = parse_listen_address(config_.metrics_listen);
  if (!address)
    return within("metrics.listen", std::move(address.error()));
  const HealthSource source = [this](HealthQuestion question) { return health(question); };
  const bool is_apart = !config_.health_listen.empty();
  if (is_apart) {
    auto own = parse_listen_address(config_.health_listen);
    if (!own)
      return within("health.listen", std::move(own.error()));
    health_ = TRY(MetricsServer::start(*own, nullptr, source));
  }
  metrics_ = TRY(MetricsServer::start(
      *address, [this](ExpositionFormat format) { return metrics_page(format); }, is_apart ? nullptr : source));
  return {};
}

std::vector<std::string> Agent::places() const {
  std::vector<std::string> places;
  if (rest_)
    places = rest_->places();
  if (health_)
    places.push_back("health on " + config_.health_listen.substr(0, config_.health_listen.rfind(':')) + ":" +
                     std::to_string(health_->port()));
  return places;
}

std::vector<HealthCheck> Agent::health(HealthQuestion question) const {
  const auto now = Monitor::Clock::now();
  const auto check = [now](const char* name, Monitor::Clock::time_point last, std::chrono::seconds bound) {
    const auto since = std::chrono::duration_cast<std::chrono::seconds>(now - last);
    return HealthCheck{
        .name = name,
        .failure = now - last > bound ? "has done nothing for " + std::to_string(since.count()) + " s" : ""};
  };
  if (question == HealthQuestion::Alive)
    return {check("loop", turned_, kStill), check("sessions", sessions_->manager().last_turn(), kStill)};
  std::vector<HealthCheck> checks{pods_health(), check("monitor", collected_, kBlind)};
  if (kube_)
    checks.push_back(kube_->health());
  return checks;
}

// A node whose runtime is known to be missing is as ready as it can be: the log and a metric tell.
HealthCheck Agent::pods_health() const {
  const bool is_told = !pods_.source || pods_.source->current() || !pods_.source->trouble().empty();
  return {.name = "pods", .failure = is_told ? "" : "the container runtime has not answered yet"};
}

// Tables are read also when nobody scrapes: they are finite.
void Agent::turn(Monitor::Clock::time_point now) {
  turned_ = now;
  output_.log().turn(now);
  if (const auto followed = monitor_->follow_pods(); !followed)
    output_.log().tell(LogLevel::Warning, followed.error().message);
  if (const auto timed = monitor_->time_packets(now); !timed)
    output_.log().tell(LogLevel::Warning, timed.error().message);
  if (now < next_collection_)
    return;
  next_collection_ += Monitor::kPeriod;
  for (const auto& line : pod_troubles_.take(pods_.source.get()))
    output_.log().tell(LogLevel::Warning, line);
  if (const auto collected = monitor_->collect(now); !collected)
    output_.log().tell(LogLevel::Warning, collected.error().message);
  else
    collected_ = now;
}

void Agent::take_over(const AgentConfig& config) {
  config_ = reloaded(config_, config);
  output_.log().set_level(config_.log_level);
  sessions_->manager().set_limits(limits_of(config_));
}

Result<std::string> Agent::metrics_page(ExpositionFormat format) {
  const auto families = TRY(monitor_->collect(Monitor::Clock::now()));
  auto page = joined(exposition(*families, format), session_page(sessions_->manager(), format), format);
  if (push_)
    page = joined(std::move(page), exposition(push_families(push_->numbers()), format), format);
  return kube_ ? joined(std::move(page), kube_->metrics_page(format), format) : page;
}

}  // namespace skbtrail
