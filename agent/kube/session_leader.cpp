#include "kube/session_leader.h"

#include <algorithm>
#include <utility>

#include "kube/node_part.h"
#include "kube/session_events.h"
#include "kube/session_summary.h"
#include "session/session_object.h"

namespace skbtrail {
namespace {

using nlohmann::json;

// Of the fields that the leader says, whoever it is.
constexpr const char* kManager = "skbtrail";
// Of entries that it writes for nodes which do not; nobody applies it again, so they stay.
constexpr const char* kOverdueManager = "skbtrail-overdue-";

constexpr std::chrono::milliseconds kSoon{300};
constexpr std::chrono::milliseconds kAtRest{30'000};

// But for when, which the first one who said it decides.
bool says_the_same(OverallStatus one, OverallStatus other) {
  for (auto* status : {&one, &other}) {
    status->ended_s = status->ended_s != 0 ? 1 : 0;
    std::ranges::sort(status->conditions, {}, &SessionCondition::type);
    for (auto& condition : status->conditions)
      condition.since_s = 0;
  }
  return one == other;
}

bool is_same_state(const OverallStatus& one, const OverallStatus& other) {
  return one.phase == other.phase && one.nodes == other.nodes && one.generation == other.generation;
}

bool is_hopeless(const Error& error) {
  return error.code == ENOENT || error.code == EBUSY || error.code == EINVAL;
}

}  // namespace

SessionLeader::SessionLeader(std::string node, std::function<void(const std::string&)> log)
    : node_(std::move(node)),
      log_(std::move(log)),
      backoff_(std::chrono::milliseconds(500), std::chrono::milliseconds(10'000), std::hash<std::string>{}(node_)) {}

std::chrono::milliseconds SessionLeader::patience(const StoredSession& session) const {
  const bool takes_part = session.entry_of(node_) != nullptr;
  const double share = share_of(session.uid, node_ + "/leader");
  return std::chrono::milliseconds(static_cast<std::int64_t>(takes_part ? 200 + 1000 * share : 1500 + 5000 * share));
}

bool SessionLeader::should_try(const Turn& turn) {
  std::map<std::string, Clock::time_point> undone;
  bool should = false;
  for (const auto& [key, session] : turn.stored) {
    const auto wanted = summary_of(*session, turn.now_s);
    const bool is_done =
        session->is_leaving || (says_the_same(wanted, session->overall) && !is_due_for_deletion(*session, turn.now_s));
    if (is_done)
      continue;
    const auto known = undone_.find(session->uid);
    const auto since = known == undone_.end() ? turn.now : known->second;
    undone.emplace(session->uid, since);
    const bool is_late = !is_same_state(wanted, session->overall) || is_due_for_deletion(*session, turn.now_s);
    const auto bound = patience(*session) + (is_late ? std::chrono::milliseconds(0) : kNumbersLate);
    should = should || turn.now - since >= bound;
  }
  undone_ = std::move(undone);
  return should;
}

bool SessionLeader::has_work(const Turn& turn) {
  return std::ranges::any_of(turn.stored, [&](const auto& one) {
    const auto& session = *one.second;
    return !session.is_leaving && (!session.is_finished() || is_due_for_deletion(session, turn.now_s) ||
                                   !says_the_same(summary_of(session, turn.now_s), session.overall));
  });
}

std::chrono::milliseconds SessionLeader::next_look(const Turn& turn) {
  auto next = kAtRest;
  for (const auto& [key, session] : turn.stored) {
    if (session->is_leaving)
      continue;
    if (!session->is_finished() || !says_the_same(summary_of(*session, turn.now_s), session->overall))
      return kSoon;
    if (const auto left = until_deletion(*session, turn.now_s); left < kAtRest)
      next = std::min<std::chrono::milliseconds>(next, left);
  }
  return std::max(next, kSoon);
}

void SessionLeader::lead(const Turn& turn, ApiClient& client) {
  if (turn.now < not_before_)
    return;
  std::erase_if(told_, [&](const auto& told) {
    return std::ranges::none_of(turn.stored, [&](const auto& one) { return one.second->uid == told.first; });
  });
  for (const auto& [key, session] : turn.stored) {
    const auto done = lead_one(*session, turn, client);
    if (done)
      continue;
    if (done.error().code == ENOENT)
      continue;  // deleted meanwhile
    if (is_hopeless(done.error())) {
      log_("session '" + key.text() + "': " + done.error().message);
      continue;
    }
    log_(done.error().message);
    not_before_ = turn.now + backoff_.next();
    return;
  }
  backoff_.reset();
}

Result<> SessionLeader::lead_one(const StoredSession& session, const Turn& turn, ApiClient& client) {
  if (session.is_leaving)
    return {};
  if (is_due_for_deletion(session, turn.now_s))
    return delete_ended(session, client);
  const auto wanted = summary_of(session, turn.now_s);
  const auto told = told_.find(session.uid);
  const bool is_told = told != told_.end() && says_the_same(wanted, told->second.overall);
  if (is_told || says_the_same(wanted, session.overall))
    return {};
  const auto& known = told != told_.end() ? told->second.overall : session.overall;
  const bool may_wait = is_same_state(wanted, known) && told != told_.end();
  if (may_wait && turn.now - told->second.at < kNumbersEvery)
    return {};
  TRY(close_overdue(session, turn, client));
  return write(session, wanted, turn, client);
}

Result<> SessionLeader::close_overdue(const StoredSession& session, const Turn& turn, ApiClient& client) {
  for (const auto& node : overdue_nodes(session, turn.now_s)) {
    const json entry = {{"node", node},
                        {"phase", name_of(SessionPhase::Failed)},
                        {"message", "has not told of its end: its agent is gone, or cannot reach the API server"},
                        {"completionTime", time_text(turn.now_s)}};
    TRY(client.apply(status_path_of(session.key),
                     applied_status(session.key, session.uid, {{"nodes", json::array({entry})}}),
                     (kOverdueManager + node).substr(0, 128)));
  }
  return {};
}

Result<> SessionLeader::write(const StoredSession& session, const OverallStatus& overall, const Turn& turn,
                              ApiClient& client) {
  const auto written =
      client.apply(status_path_of(session.key), applied_status(session.key, session.uid, json_of(overall)), kManager);
  if (written || is_hopeless(written.error()))
    told_.insert_or_assign(session.uid, Told{.overall = overall, .at = turn.now});
  if (!written)
    return written.error();
  const bool is_new_phase = overall.phase != session.overall.phase && overall.phase != SessionPhase::Pending;
  if (!is_new_phase)
    return {};
  const auto event = client.create(events_path_of(session.key), event_of(session, overall, node_, turn.now_s));
  // It is a courtesy, and one that may have been done before.
  if (!event && event.error().code != EEXIST)
    log_("session '" + session.key.text() + "': no event: " + event.error().message);
  return {};
}

Result<> SessionLeader::delete_ended(const StoredSession& session, ApiClient& client) {
  auto& told = told_[session.uid];
  if (told.is_deleted)
    return {};
  const auto removed = client.remove(path_of(session.key), session.uid);
  if (!removed && !is_hopeless(removed.error()))
    return removed.error();
  told.is_deleted = true;
  return {};
}

}  // namespace skbtrail
