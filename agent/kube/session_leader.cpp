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

}  // namespace

SessionLeader::SessionLeader(std::string node, Teller log)
    : node_(std::move(node)),
      log_(std::move(log)),
      backoff_(std::chrono::milliseconds(500), std::chrono::milliseconds(10'000), std::hash<std::string>{}(node_)) {}

std::chrono::milliseconds SessionLeader::patience(const StoredSession& session) const {
  const bool takes_part = session.entry_of(node_) != nullptr;
  const double share = share_of(session.uid, node_ + "/leader");
  return std::chrono::milliseconds(static_cast<std::int64_t>(takes_part ? 200 + 1000 * share : 1500 + 5000 * share));
}

void SessionLeader::look(const Turn& turn) {
  std::map<std::string, Seen> seen;
  for (const auto& [key, session] : turn.stored) {
    const auto before = seen_.find(session->uid);
    if (!session->is_finished())
      seen.emplace(session->uid, Seen{});
    else if (before != seen_.end())
      seen.emplace(session->uid, Seen{.ended_at = before->second.ended_at.value_or(turn.now)});
  }
  seen_ = std::move(seen);
}

// Both times have to be over: the nodes' and the leader's clocks may be wrong, and somebody wants to read the status.
std::chrono::seconds SessionLeader::until_deleted(const StoredSession& session, const Turn& turn) const {
  const auto left = until_deletion(session, turn.now_s);
  const auto seen = seen_.find(session.uid);
  if (seen == seen_.end() || !seen->second.ended_at)
    return left;
  return std::max(left, std::chrono::ceil<std::chrono::seconds>(*seen->second.ended_at + kept_for(session) - turn.now));
}

bool SessionLeader::is_to_be_deleted(const StoredSession& session, const Turn& turn) const {
  return !session.is_leaving && until_deleted(session, turn).count() <= 0;
}

bool SessionLeader::should_try(const Turn& turn) {
  std::map<std::string, Clock::time_point> undone;
  bool should = false;
  for (const auto& [key, session] : turn.stored) {
    const auto wanted = summary_of(*session, turn.now_s, turn.outage);
    const bool is_done =
        session->is_leaving || (says_the_same(wanted, session->overall) && !is_to_be_deleted(*session, turn));
    if (is_done)
      continue;
    const auto known = undone_.find(session->uid);
    const auto since = known == undone_.end() ? turn.now : known->second;
    undone.emplace(session->uid, since);
    const bool is_late = !is_same_state(wanted, session->overall) || is_to_be_deleted(*session, turn);
    const auto bound = patience(*session) + (is_late ? std::chrono::milliseconds(0) : kNumbersLate);
    should = should || turn.now - since >= bound;
  }
  undone_ = std::move(undone);
  return should;
}

bool SessionLeader::has_work(const Turn& turn) const {
  return std::ranges::any_of(turn.stored, [&](const auto& one) {
    const auto& session = *one.second;
    return !session.is_leaving && (!session.is_finished() || is_to_be_deleted(session, turn) ||
                                   !says_the_same(summary_of(session, turn.now_s, turn.outage), session.overall));
  });
}

std::chrono::milliseconds SessionLeader::next_look(const Turn& turn) const {
  auto next = kAtRest;
  for (const auto& [key, session] : turn.stored) {
    if (session->is_leaving)
      continue;
    if (!session->is_finished() || !says_the_same(summary_of(*session, turn.now_s, turn.outage), session->overall))
      return kSoon;
    if (const auto left = until_deleted(*session, turn); left < kAtRest)
      next = std::min<std::chrono::milliseconds>(next, left);
  }
  return std::max(next, kSoon);
}

// A session that cannot be written waits alone. When the API server cannot be asked at all, everything does.
void SessionLeader::lead(const Turn& turn, ApiClient& client) {
  if (turn.now < not_before_)
    return;
  const auto is_gone = [&](const auto& one) {
    return std::ranges::none_of(turn.stored, [&](const auto& stored) { return stored.second->uid == one.first; });
  };
  std::erase_if(told_, is_gone);
  std::erase_if(retries_, is_gone);
  for (const auto& [key, session] : turn.stored) {
    const auto retry = retries_.find(session->uid);
    if (retry != retries_.end() && retry->second.is_early(turn.now))
      continue;
    const auto done = lead_one(*session, turn, client);
    if (done) {
      retries_.erase(session->uid);
      continue;
    }
    if (done.error().code == ENOENT)
      continue;  // deleted meanwhile
    if (is_of_connection(done.error())) {
      log_(LogLevel::Warning, done.error().message);
      not_before_ = turn.now + backoff_.next();
      return;
    }
    const bool is_news =
        retries_[session->uid].failed(done.error(), turn.now, {.seed = std::hash<std::string>{}(node_ + session->uid)});
    if (is_news)
      log_(LogLevel::Warning, "session '" + key.text() + "': " + done.error().message);
  }
  backoff_.reset();
}

Result<> SessionLeader::lead_one(const StoredSession& session, const Turn& turn, ApiClient& client) {
  if (session.is_leaving)
    return {};
  if (is_to_be_deleted(session, turn))
    return delete_ended(session, client);
  const auto wanted = summary_of(session, turn.now_s, turn.outage);
  const auto told = told_.find(session.uid);
  if (says_the_same(wanted, session.overall))
    return {};
  // What was said a moment ago is on its way back. Later than that, somebody else has said another thing.
  const bool is_on_its_way =
      told != told_.end() && turn.now - told->second.at < kNumbersEvery && is_same_state(wanted, told->second.overall);
  if (is_on_its_way)
    return {};
  TRY(close_overdue(session, turn, client));
  return write(session, wanted, turn, client);
}

Result<> SessionLeader::close_overdue(const StoredSession& session, const Turn& turn, ApiClient& client) {
  for (const auto& node : overdue_nodes(session, turn.now_s, turn.outage)) {
    const auto words = overdue_words(session.entry_of(node)->status);
    const json entry = {{"node", node},
                        {"phase", name_of(SessionPhase::Failed)},
                        {"message", words + ": its agent is gone, or cannot reach the API server"},
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
  if (!written)
    return written.error();
  told_.insert_or_assign(session.uid, Told{.overall = overall, .at = turn.now});
  const bool is_new_phase = overall.phase != session.overall.phase && overall.phase != SessionPhase::Pending;
  if (!is_new_phase)
    return {};
  const auto event = client.create(events_path_of(session.key), event_of(session, overall, node_, turn.now_s));
  // It is a courtesy, and one that may have been done before.
  if (!event && event.error().code != EEXIST)
    log_(LogLevel::Warning, "session '" + session.key.text() + "': no event: " + event.error().message);
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
