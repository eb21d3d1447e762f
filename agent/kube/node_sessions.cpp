#include "kube/node_sessions.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "session/status_object.h"

namespace skbtrail {
namespace {

constexpr std::size_t kMaxManager = 128;
constexpr std::chrono::milliseconds kWhileWaiting{200};

}  // namespace

std::string field_manager_of(const std::string& node) {
  std::string whole = "skbtrail-" + node;
  if (whole.size() <= kMaxManager)
    return whole;
  char tail[16];
  std::snprintf(tail, sizeof(tail), "-%08x", static_cast<unsigned>(share_of(node, "") * 4294967296.0));
  return whole.substr(0, kMaxManager - 9) + tail;
}

NodeSessions::NodeSessions(Settings settings)
    : settings_(std::move(settings)),
      manager_(field_manager_of(settings_.node)),
      labels_(settings_.node),
      backoff_(settings_.least_wait, settings_.most_wait, std::hash<std::string>{}(settings_.node)) {}

void NodeSessions::changed(const SessionView& view) {
  if (view.origin != SessionOrigin::Kubernetes)
    return;
  {
    const std::lock_guard lock{mutex_};
    heard_.insert_or_assign({view.session.key, view.session.uid}, view.status);
  }
  settings_.wake();
}

void NodeSessions::take_in_heard() {
  decltype(heard_) heard;
  {
    const std::lock_guard lock{mutex_};
    heard.swap(heard_);
  }
  for (auto& [of, status] : heard) {
    const auto found = parts_.find(of.first);
    // What is said of one that was removed, or of another one of this name, is of no interest any more.
    if (found == parts_.end() || !found->second.is_controlled || found->second.local.uid != of.second)
      continue;
    status.message.resize(std::min(status.message.size(), kMaxStatusMessage));
    found->second.local.status = added_up(found->second.before, std::move(status));
  }
}

NodeSessions::Part& NodeSessions::part_of(const StoredSession& stored, Clock::time_point now) {
  const auto [at, is_new] = parts_.try_emplace(stored.key);
  if (is_new) {
    at->second.known_since = now;
    at->second.local.uid = stored.uid;
    at->second.local.generation = stored.generation;
  }
  return at->second;
}

void NodeSessions::reconcile(const Turn& turn, SessionControl& control) {
  take_in_heard();
  for (const auto& key : std::exchange(to_end_, {}))
    (void)control.remove(key);  // it may have ended by itself
  for (auto at = parts_.begin(); at != parts_.end();) {
    if (turn.stored.contains(at->first)) {
      ++at;
      continue;
    }
    remove(at->first, at->second, control);
    at = parts_.erase(at);
  }
  for (const auto& [key, stored] : turn.stored)
    act(*stored, part_of(*stored, turn.now), turn, control);
}

void NodeSessions::act(const StoredSession& stored, Part& part, const Turn& turn, SessionControl& control) {
  PartQuestion question{.stored = stored,
                        .local = &part.local,
                        .node = settings_.node,
                        .known_for = std::chrono::duration_cast<std::chrono::milliseconds>(turn.now - part.known_since),
                        .labels_fit = {},
                        .now_s = turn.now_s};
  auto decision = decide(question);
  if (decision.action == PartAction::AskLabels) {
    const auto fit = labels_.fit(*stored.asked->spec.node_selector, turn.client, turn.now);
    if (!fit)
      return;
    question.labels_fit = *fit;
    decision = decide(question);
  }
  switch (decision.action) {
    case PartAction::Nothing:
    case PartAction::Wait:
    case PartAction::AskLabels: return;
    case PartAction::Start: start(stored, part, std::move(decision), control); return;
    case PartAction::Remove:
      remove(stored.key, part, control);
      parts_.erase(stored.key);
      return;
    case PartAction::Tell:
      part.local.uid = stored.uid;
      part.local.generation = stored.generation;
      part.local.status = std::move(decision.before);
      return;
  }
}

void NodeSessions::start(const StoredSession& stored, Part& part, PartDecision decision,
                         SessionControl& control) const {
  const auto started = control.start(decision.session, SessionOrigin::Kubernetes);
  if (!started && started.error().code == EAGAIN)
    return;  // asked again at the next turn
  part.local.uid = stored.uid;
  part.local.generation = stored.generation;
  part.session = std::move(decision.session);
  if (const auto* entry = stored.entry_of(settings_.node))
    part.written = entry->status;
  if (!started) {
    part.local.status = NodeStatus{.phase = SessionPhase::Failed,
                                   .message = started.error().message + ", by the REST API of this node"};
    return;
  }
  part.before = std::move(decision.before);
  part.is_controlled = true;
  part.local.status = added_up(part.before, {.message = "accepted"});
}

void NodeSessions::remove(const SessionKey& key, Part& part, SessionControl& control) {
  if (part.is_controlled)
    (void)control.remove(key);  // it may be forgotten already
  part.is_controlled = false;
}

bool NodeSessions::has_news(const Part& part) const {
  const auto& status = part.local.status;
  if (!status || status == part.written)
    return false;
  return part.written || !part.is_controlled || is_worth_an_entry(part.session, *status);
}

// Phases at once; numbers the more seldom the more nodes write them, since every agent reads them all.
bool NodeSessions::is_due(const StoredSession& stored, const Part& part, Clock::time_point now) const {
  if (part.is_standing_back)
    return true;
  if (!has_news(part))
    return false;
  const bool is_first = !part.written || part.written->phase != part.local.status->phase;
  const auto writers = std::max<std::size_t>(stored.nodes.size(), 1);
  return is_first || now - part.written_at >= kNumbersEvery * static_cast<std::int64_t>(writers);
}

// A session whose status is refused waits alone. When the API server cannot be asked at all, everything does.
std::chrono::milliseconds NodeSessions::write(const Turn& turn) {
  if (turn.now < not_before_)
    return std::chrono::ceil<std::chrono::milliseconds>(not_before_ - turn.now);
  for (const auto& [key, stored] : turn.stored) {
    const auto found = parts_.find(key);
    if (found == parts_.end() || found->second.retry.is_early(turn.now) || !is_due(*stored, found->second, turn.now))
      continue;
    const auto written = write_one(*stored, found->second, turn);
    if (written) {
      found->second.retry.worked();
      continue;
    }
    const bool is_news = found->second.retry.failed(written.error(), turn.now,
                                                    {.least = settings_.least_wait,
                                                     .most = settings_.most_wait,
                                                     .seed = std::hash<std::string>{}(settings_.node + stored->uid)});
    if (is_news)
      settings_.log(LogLevel::Warning,
                    "status of session '" + key.text() + "' not written: " + written.error().message);
    if (!is_of_connection(written.error()))
      continue;
    const auto wait = backoff_.next();
    not_before_ = turn.now + wait;
    found->second.retry.worked();  // it waits with all others
    return wait;
  }
  backoff_.reset();
  return until_next(turn);
}

std::chrono::milliseconds NodeSessions::until_next(const Turn& turn) const {
  auto next = kAtRest;
  for (const auto& [key, stored] : turn.stored) {
    if (!stored->is_finished())
      return kWhileWaiting;
    const auto found = parts_.find(key);
    if (found != parts_.end() && found->second.retry.is_early(turn.now))
      next = std::min(next, std::chrono::ceil<std::chrono::milliseconds>(found->second.retry.not_before() - turn.now));
  }
  return next;
}

void NodeSessions::write_last(const Turn& turn) {
  take_in_heard();
  for (const auto& [key, stored] : turn.stored) {
    const auto found = parts_.find(key);
    if (found == parts_.end() || !(found->second.is_standing_back || has_news(found->second)))
      continue;
    const auto written = write_one(*stored, found->second, turn);
    if (written)
      continue;
    settings_.log(LogLevel::Warning,
                  "last status of session '" + key.text() + "' not written: " + written.error().message);
    if (is_of_connection(written.error()))
      return;
  }
}

Result<> NodeSessions::write_one(const StoredSession& stored, Part& part, const Turn& turn) {
  return part.is_standing_back ? stand_back(stored, part, turn.client) : write_entry(stored, part, turn);
}

// In the answer are the entries of all who were faster.
Result<> NodeSessions::write_entry(const StoredSession& stored, Part& part, const Turn& turn) {
  const bool is_claim = !part.written && stored.entry_of(settings_.node) == nullptr;
  auto entry = node_entry_of(*part.local.status, settings_.node);
  const auto answer = turn.client.apply(
      status_path_of(stored.key),
      applied_status(stored.key, part.local.uid, {{"nodes", nlohmann::json::array({entry})}}), manager_);
  if (!answer && !is_hopeless(answer.error()))
    return answer.error();
  if (!answer && answer.error().code == EINVAL) {
    settings_.log(LogLevel::Warning,
                  "status of session '" + stored.key.text() + "' not taken: " + answer.error().message);
    // Such as one entry more than there may be: nothing has been written, so that nothing is to be taken away.
    if (is_claim) {
      stop_here(stored, part);
      return {};
    }
  }
  part.written = part.local.status;
  part.written_at = turn.now;
  if (!answer)
    return {};
  const auto now = stored_session_of(*answer);
  if (is_claim && now && now->nodes.size() > stored.max_nodes())
    return stand_back(stored, part, turn.client);
  return {};
}

// Without its entry: what a manager no longer says is removed. It is asked for until it is.
Result<> NodeSessions::stand_back(const StoredSession& stored, Part& part, ApiClient& client) {
  part.is_standing_back = true;
  if (std::exchange(part.is_controlled, false))
    to_end_.push_back(stored.key);
  const auto taken_away = client.apply(status_path_of(stored.key),
                                       applied_status(stored.key, part.local.uid, nlohmann::json::object()), manager_);
  if (!taken_away && !is_hopeless(taken_away.error()))
    return taken_away.error();
  stop_here(stored, part);
  return {};
}

void NodeSessions::stop_here(const StoredSession& stored, Part& part) {
  if (part.is_controlled)
    to_end_.push_back(stored.key);
  const auto known_since = part.known_since;
  part = {};
  part.known_since = known_since;
  part.local = {.uid = stored.uid, .generation = stored.generation, .stood_back = true, .status = {}};
}

bool NodeSessions::takes_part() const {
  return std::ranges::any_of(parts_, [](const auto& one) { return one.second.written.has_value(); });
}

}  // namespace skbtrail
