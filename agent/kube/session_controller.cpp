#include "kube/session_controller.h"

#include <algorithm>
#include <random>
#include <utility>

#include "kube/whatever_comes.h"

namespace skbtrail {
namespace {

constexpr std::chrono::seconds kLastPatience{3};
// After a turn that ended in the middle; also how often the log has it.
constexpr std::chrono::seconds kAfterStrange{10};
// Wakes closer together than this are taken as one.
constexpr std::chrono::milliseconds kGather{20};

std::uint64_t chance() {
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32U) | device();
}

// One process: an agent that starts anew is another candidate than the one before.
std::string identity_of(const std::string& node) {
  return node + "_" + std::to_string(chance());
}

}  // namespace

SessionController::SessionController(std::shared_ptr<ApiEndpoint> endpoint, Settings settings)
    : endpoint_(std::move(endpoint)),
      settings_(std::move(settings)),
      client_(endpoint_),
      store_([this] { wake(); }),
      sessions_(std::make_unique<NodeSessions>(
          NodeSessions::Settings{.node = settings_.node, .wake = [this] { wake(); }, .log = settings_.log})),
      leader_(settings_.node, settings_.log) {}

SessionController::~SessionController() {
  quiesce();
  ApiClient client(endpoint_, kLastPatience);
  const auto stored = store_.all();
  const auto done = whatever_comes("last words", [&]() -> Result<> {
    sessions_->write_last({.stored = stored, .client = client, .now = Clock::now(), .now_s = endpoint_->now_s()});
    return {};
  });
  if (!done)
    settings_.log(LogLevel::Warning, done.error().message);
}

std::unique_ptr<ListWatch> SessionController::watch(SessionKind kind) {
  auto settings = settings_.watch;
  settings.path = collection_path_of(kind);
  settings.name = kind == SessionKind::TraceSession ? "kube-watch" : "kube-watch-all";
  settings.seed = chance();
  return std::make_unique<ListWatch>(endpoint_, std::move(settings), store_.handler(kind));
}

void SessionController::begin(SessionControl& control) {
  lease_ = std::make_unique<LeaderLease>(endpoint_, LeaderLease::Settings{.namespace_name = settings_.namespace_name,
                                                                          .me = identity_of(settings_.node),
                                                                          .times = settings_.lease,
                                                                          .on_change = [this] { wake(); },
                                                                          .log = settings_.log});
  for (const auto kind : kSessionKinds)
    watches_[static_cast<std::size_t>(kind)] = watch(kind);
  thread_.start("kube", [this, &control] { run(control); });
}

void SessionController::quiesce() {
  if (!thread_.is_started())
    return;
  {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
  }
  woken_.notify_all();
  thread_.join(client_);
  for (auto& watch : watches_)
    watch.reset();
  lease_.reset();
}

void SessionController::wake() {
  {
    const std::lock_guard lock{mutex_};
    is_awake_ = true;
  }
  woken_.notify_all();
}

void SessionController::run(SessionControl& control) {
  while (true) {
    const auto patience = turn_safely(control);
    std::unique_lock lock{mutex_};
    woken_.wait_for(lock, patience, [this] { return is_awake_ || stopping_; });
    woken_.wait_for(lock, kGather, [this] { return stopping_; });
    if (stopping_)
      return;
    is_awake_ = false;
  }
}

std::chrono::milliseconds SessionController::turn_safely(SessionControl& control) {
  const auto patience =
      whatever_comes("sessions", [&]() -> Result<std::chrono::milliseconds> { return turn(control); });
  if (patience)
    return *patience;
  settings_.log(LogLevel::Warning, patience.error().message);
  return kAfterStrange;
}

// Nothing is decided from half of a picture.
std::chrono::milliseconds SessionController::turn(SessionControl& control) {
  log_troubles();
  outage_.look(told_troubles_.empty(), Clock::now());
  if (!is_current())
    return std::chrono::seconds(1);
  const auto stored = store_.all();
  const auto now = Clock::now();
  const NodeSessions::Turn turn{.stored = stored, .client = client_, .now = now, .now_s = endpoint_->now_s()};
  sessions_->reconcile(turn, control);
  const auto patience = sessions_->write(turn);
  const SessionLeader::Turn leading{.stored = stored, .now = now, .now_s = turn.now_s, .outage = outage_.length(now)};
  leader_.look(leading);
  lead(leading);
  return std::min(patience, leader_.next_look(leading));
}

void SessionController::lead(const SessionLeader::Turn& turn) {
  const bool is_leader = lease_->is_leader();
  if (is_leader)
    leader_.lead(turn, client_);
  lease_->want(is_leader ? leader_.has_work(turn) : leader_.should_try(turn));
}

std::vector<std::string> SessionController::troubles() const {
  std::vector<std::string> troubles;
  for (const auto& watch : watches_)
    if (watch)
      if (auto trouble = watch->trouble(); !trouble.empty() && watch->has_asked())
        troubles.push_back(std::move(trouble));
  return troubles;
}

bool SessionController::is_current() const {
  for (const auto& watch : watches_)
    if (!watch || !watch->has_listed())
      return false;
  return true;
}

bool SessionController::is_leader() const {
  return lease_ && lease_->is_leader();
}

void SessionController::log_troubles() {
  auto troubles = this->troubles();
  if (troubles == told_troubles_)
    return;
  for (const auto& trouble : troubles)
    settings_.log(LogLevel::Warning, "sessions of Kubernetes are not followed: " + trouble);
  if (troubles.empty())
    settings_.log(LogLevel::Info, "sessions of Kubernetes are followed");
  told_troubles_ = std::move(troubles);
}

}  // namespace skbtrail
