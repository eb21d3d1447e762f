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
    numbers.push_back({.key = std::move(view.session.key), .status = std::move(view.status), .number = view.number});
  return exposition(session_families(std::move(numbers)), format);
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
  kube_ = TRY(AgentKube::open(config_, output_.log()));
  TRY(start_monitor());
  push_ = TRY(open_log_push(config_, output_.log().teller()));
  start_sessions();
  if (kube_)
    kube_->begin(sessions_->manager());
  TRY(start_rest());
  TRY(start_servers());
  next_collection_ = Monitor::Clock::now() + Monitor::kPeriod;
  return {};
}

Result<> Agent::start_monitor() {
  monitor_ = TRY(Monitor::start(host_,
                                {.max_series = config_.metrics_max_series,
                                 .drop_entries = static_cast<std::uint32_t>(config_.metrics_drop_entries),
                                 .latency_percent = config_.metrics_latency_percent,
                                 .node = config_.node,
                                 .version = SKBTRAIL_VERSION,
                                 .commit = SKBTRAIL_COMMIT,
                                 .pod_drops = kube_ ? kube_->pod_drops() : nullptr},
                                pod_views(pods_.source.get())));
  note_what_the_monitor_lacks();
  if (config_.kubernetes_pod_events)
    note_why_no_pod_events();
  return {};
}

// Mostly both for one reason, which then stands in one line.
void Agent::note_what_the_monitor_lacks() {
  const auto& uncounted = monitor_->why_uncounted();
  const auto& untimed = monitor_->why_untimed();
  if (!uncounted.empty())
    pods_.lacks.push_back((untimed.empty() ? "drops are not counted: "
                                           : "drops are not counted, and latency of packets is not measured: ") +
                          uncounted);
  else if (!untimed.empty())
    pods_.lacks.push_back("latency of packets is not measured: " + untimed);
}

void Agent::note_why_no_pod_events() {
  if (!kube_)
    pods_.lacks.emplace_back("kubernetes.podEvents: no events are written: no API server is configured here");
  else if (monitor_->why_uncounted().empty() && !monitor_->has_reasons())
    pods_.lacks.emplace_back(
        "kubernetes.podEvents: no events are written: this kernel does not say why it drops (Linux 5.17 and newer do)");
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
    health_ =
        TRY(MetricsServer::start(*own, {.health = source, .name = "health", .tell = output_.log().teller("health: ")}));
  }
  metrics_ =
      TRY(MetricsServer::start(*address, {.page = [this](ExpositionFormat format) { return metrics_page(format); },
                                          .health = is_apart ? nullptr : source,
                                          .tell = output_.log().teller("metrics: ")}));
  return {};
}

std::size_t Agent::connections(const AgentConfig& config) {
  const auto most = [](const HttpServer::Limits& limits) { return limits.connections + limits.refused; };
  const std::size_t health = config.health_listen.empty() ? 0 : 1;
  const std::size_t rest = (config.rest_listen.empty() ? 0 : 1) + (config.rest_socket.empty() ? 0 : 1);
  return (1 + health) * most(MetricsServer::kLimits) + rest * most(RestServer::Limits{});
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
  auto monitor = check("monitor", collected_, kBlind);
  if (!monitor_->why_uncounted().empty())
    monitor.failure = monitor_->why_uncounted();
  std::vector<HealthCheck> checks{pods_health(), std::move(monitor)};
  if (kube_)
    checks.push_back(kube_->health());
  return checks;
}

// A node whose runtime is known to be missing is as ready as it can be.
HealthCheck Agent::pods_health() const {
  if (!pods_.source)
    return {.name = "pods", .failure = "", .degraded = why_no_pods()};
  if (auto trouble = pods_.source->trouble(); !trouble.empty())
    return {.name = "pods", .failure = "", .degraded = std::move(trouble)};
  return {.name = "pods", .failure = pods_.source->current() ? "" : "the container runtime has not answered yet"};
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
  const auto collected = TRY(monitor_->collect(Monitor::Clock::now()));
  auto page = joined(exposition(*collected, format), session_page(sessions_->manager(), format), format);
  if (push_)
    page = joined(std::move(page), exposition(push_families(push_->numbers()), format), format);
  return kube_ ? joined(std::move(page), kube_->metrics_page(format), format) : page;
}

}  // namespace skbtrail
