#include "kube/session_summary.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace skbtrail {
namespace {

constexpr std::chrono::hours kForEver{24 * 365};

// `heard_s`: until when nodes could tell. Whatever a node's clock says, it does not begin before the session was made,
// nor later than this.
bool is_overdue(const NodeStatus& status, const StoredSession& session, std::int64_t heard_s) {
  const std::chrono::seconds longest = kLongestInLine;
  const auto last_start = session.created_s + longest.count();
  if (status.phase == SessionPhase::Pending)
    return heard_s > last_start + session.duration().count();
  const auto started = status.started_s == 0 ? last_start : std::clamp(status.started_s, session.created_s, last_start);
  return status.phase == SessionPhase::Running && heard_s > started + (session.duration() + kOverdue).count();
}

struct Counts {
  std::array<std::size_t, 5> by_phase{};
  std::size_t all = 0;

  std::size_t of(SessionPhase phase) const { return by_phase[static_cast<std::size_t>(phase)]; }
  std::size_t waiting() const { return of(SessionPhase::Pending); }
  std::size_t running() const { return of(SessionPhase::Running); }
};

Counts count(const StoredSession& session, std::int64_t heard_s) {
  Counts counts{.all = session.nodes.size()};
  for (const auto& entry : session.nodes) {
    const auto phase = is_overdue(entry.status, session, heard_s) ? SessionPhase::Failed : entry.status.phase;
    ++counts.by_phase[static_cast<std::size_t>(phase)];
  }
  return counts;
}

SessionPhase final_phase(const Counts& counts) {
  if (counts.of(SessionPhase::Completed) > 0)
    return SessionPhase::Completed;
  return counts.of(SessionPhase::Failed) > 0 ? SessionPhase::Failed : SessionPhase::Expired;
}

SessionPhase phase_of(const StoredSession& session, const Counts& counts, bool has_started, std::int64_t now_s,
                      std::int64_t heard_s) {
  if (session.is_finished())
    return *session.overall.phase;
  const auto unfinished = has_started ? SessionPhase::Running : SessionPhase::Pending;
  if (counts.all == 0) {
    const auto last = session.created_s + (session.duration() + kSettle).count();
    return heard_s < last ? SessionPhase::Pending : SessionPhase::Expired;
  }
  if (counts.running() + counts.waiting() > 0)
    return counts.running() > 0 ? SessionPhase::Running : unfinished;
  if (now_s < session.created_s + kSettle.count())
    return unfinished;
  return final_phase(counts);
}

// Nodes' clocks may be wrong: not before its creation, not in the future.
std::int64_t end_of(const StoredSession& session, std::int64_t now_s) {
  std::int64_t end = session.overall.ended_s;
  if (end == 0)
    for (const auto& entry : session.nodes)
      end = std::max(end, entry.status.ended_s);
  return std::clamp(end != 0 ? end : now_s, session.created_s, std::max(now_s, session.created_s));
}

std::string counted(const Counts& counts) {
  std::string text = std::to_string(counts.all) + (counts.all == 1 ? " node" : " nodes");
  char sign = ':';
  for (std::size_t i = 0; i < counts.by_phase.size(); ++i) {
    if (counts.by_phase[i] == 0)
      continue;
    text += sign + (" " + std::to_string(counts.by_phase[i]) + " ") + std::string(kPhaseNames[i]);
    sign = ',';
  }
  return text;
}

// Why nodes wait or have failed, as many of them as there is room for.
std::string reasons(const StoredSession& session, std::int64_t heard_s) {
  std::string text;
  for (const auto& entry : session.nodes) {
    const bool overdue = is_overdue(entry.status, session, heard_s);
    const bool is_well = entry.status.phase == SessionPhase::Running || entry.status.phase == SessionPhase::Completed;
    if (!overdue && (is_well || entry.status.message.empty()))
      continue;
    const std::string one = "; " + entry.node + ": " + (overdue ? overdue_words(entry.status) : entry.status.message);
    if (text.size() + one.size() > kMaxStatusMessage - 128)
      return text + "; and others";
    text += one;
  }
  return text;
}

std::string message_of(const StoredSession& session, const Counts& counts, SessionPhase phase, std::int64_t heard_s) {
  if (counts.all > 0)
    return counted(counts) + reasons(session, heard_s);
  return phase == SessionPhase::Pending ? "no node has one of its pods yet"
                                        : "its time is over, and no node had one of its pods";
}

SessionCondition condition(const StoredSession& session, std::string type, bool holds, std::int64_t now_s) {
  SessionCondition made{.type = std::move(type), .is_true = holds, .reason = {}, .message = {}, .since_s = now_s};
  for (const auto& old : session.overall.conditions)
    if (old.type == made.type && old.is_true == holds && old.since_s != 0)
      made.since_s = old.since_s;
  return made;
}

}  // namespace

std::vector<std::string> overdue_nodes(const StoredSession& session, std::int64_t now_s, std::chrono::seconds outage) {
  std::vector<std::string> nodes;
  for (const auto& entry : session.nodes)
    if (is_overdue(entry.status, session, now_s - outage.count()))
      nodes.push_back(entry.node);
  return nodes;
}

std::string overdue_words(const NodeStatus& status) {
  return status.phase == SessionPhase::Pending ? "did not report when its turn came" : "has not told of its end";
}

OverallStatus summary_of(const StoredSession& session, std::int64_t now_s, std::chrono::seconds outage) {
  const auto heard_s = now_s - outage.count();
  const auto counts = count(session, heard_s);
  OverallStatus overall{.generation = session.generation, .nodes = counts.all};
  for (const auto& entry : session.nodes) {
    overall.packets += entry.status.packets;
    overall.drops += entry.status.drops;
    overall.lost += entry.status.lost;
    const auto started = entry.status.started_s;
    if (started != 0 && (overall.started_s == 0 || started < overall.started_s))
      overall.started_s = started;
  }
  overall.phase = phase_of(session, counts, overall.started_s != 0, now_s, heard_s);
  if (is_final(*overall.phase))
    overall.ended_s = end_of(session, now_s);
  const auto message = message_of(session, counts, *overall.phase, heard_s);
  overall.conditions = {condition(session, "Ready", overall.phase == SessionPhase::Running, now_s),
                        condition(session, "Complete", overall.phase == SessionPhase::Completed, now_s)};
  for (auto& one : overall.conditions) {
    one.reason = name_of(*overall.phase);
    one.message = message;
  }
  return overall;
}

std::chrono::seconds kept_for(const StoredSession& session) {
  return session.asked ? session.asked->spec.ttl_after_finished : TraceSessionSpec{}.ttl_after_finished;
}

std::chrono::seconds until_deletion(const StoredSession& session, std::int64_t now_s) {
  if (!session.is_finished() || session.overall.ended_s == 0)
    return kForEver;
  return std::chrono::seconds(end_of(session, now_s) - now_s) + kept_for(session);
}

}  // namespace skbtrail
