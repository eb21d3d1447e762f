#include "kube/node_part.h"

#include <algorithm>

namespace skbtrail {
namespace {

// Less is not counted against a session's time: the way of its object to the nodes.
constexpr std::int64_t kUncountedSeconds = 5;

PartDecision told(SessionPhase phase, std::string message, std::int64_t ended_s, NodeStatus before = {}) {
  before.phase = phase;
  before.message = std::move(message);
  before.ended_s = ended_s;
  return {.action = PartAction::Tell, .session = {}, .before = std::move(before)};
}

// An agent of this node was at it before.
PartDecision resume(const StoredSession& stored, const NodeStatus& before, std::int64_t now_s) {
  if (is_final(before.phase))
    return {};
  if (!stored.asked)
    return told(SessionPhase::Failed, stored.fault, now_s, before);
  PartDecision start{.action = PartAction::Start, .session = *stored.asked, .before = before};
  if (before.phase == SessionPhase::Pending || before.started_s == 0) {
    if (stored.is_finished())
      return told(SessionPhase::Expired, "the session ended before its turn came", now_s, before);
    return start;
  }
  // By this node's own clock, which may have been wrong.
  const auto started_s = std::clamp(before.started_s, stored.created_s, std::max(now_s, stored.created_s));
  const auto end_s = started_s + stored.duration().count();
  if (stored.is_finished() || now_s >= end_s)
    return told(SessionPhase::Completed, "its agent was not there when it ended; the numbers are from before",
                std::min(end_s, now_s), before);
  if (before.events >= stored.asked->spec.max_events)
    return told(SessionPhase::Completed, "as many events as were asked for", now_s, before);
  start.session.spent = std::chrono::seconds(std::max<std::int64_t>(now_s - started_s, 0));
  start.session.spec.max_events -= before.events;
  return start;
}

PartDecision begin(const PartQuestion& question) {
  const auto& stored = question.stored;
  if (stored.is_finished() || stored.is_leaving || stored.nodes.size() >= stored.max_nodes())
    return {};
  const auto delay = share_of(stored.uid, question.node) * static_cast<double>(kLongestDelay.count());
  const bool is_early = static_cast<double>(question.known_for.count()) < delay;
  if (is_early)
    return {.action = PartAction::Wait};
  if (!stored.asked)
    return told(SessionPhase::Failed, stored.fault, question.now_s);
  if (stored.asked->spec.node_selector) {
    if (!question.labels_fit)
      return {.action = PartAction::AskLabels};
    if (!*question.labels_fit)
      return {};
  }
  const auto since = stored.overall.started_s != 0 ? stored.overall.started_s : stored.created_s;
  const auto elapsed = std::max<std::int64_t>(question.now_s - since, 0);
  if (elapsed >= stored.duration().count())
    return {};
  PartDecision start{.action = PartAction::Start, .session = *stored.asked};
  if (elapsed > kUncountedSeconds)
    start.session.spent = std::chrono::seconds(elapsed);
  return start;
}

bool is_same_request(const StoredSession& stored, const LocalPart& local) {
  return stored.uid == local.uid && stored.generation == local.generation;
}

}  // namespace

double share_of(const std::string& uid, const std::string& node) {
  // FNV-1a: the same on every machine and in every version.
  const std::string both = uid + "/" + node;
  std::uint64_t hash = 14695981039346656037U;
  for (const char c : both)
    hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
  // Its last steps alone hardly reach the high bits: mixed as MurmurHash3 does at its end.
  hash = (hash ^ (hash >> 33U)) * 0xff51afd7ed558ccdU;
  hash = (hash ^ (hash >> 33U)) * 0xc4ceb9fe1a85ec53U;
  hash ^= hash >> 33U;
  return static_cast<double>(hash & 0xffffffffU) / 4294967296.0;
}

PartDecision decide(const PartQuestion& question) {
  const auto& stored = question.stored;
  const auto* local = question.local;
  if (local != nullptr && local->status) {
    const bool is_over = stored.is_finished() || stored.is_leaving;
    const bool ended_here = is_final(local->status->phase);
    if (stored.uid != local->uid || (!ended_here && (is_over || !is_same_request(stored, *local))))
      return {.action = PartAction::Remove};
    return {};
  }
  if (stored.is_leaving || (local != nullptr && local->stood_back && is_same_request(stored, *local)))
    return {};
  const auto* entry = stored.entry_of(question.node);
  return entry != nullptr ? resume(stored, entry->status, question.now_s) : begin(question);
}

bool is_worth_an_entry(const TraceSession& session, const NodeStatus& status) {
  switch (status.phase) {
    case SessionPhase::Pending: return status.pods > 0 || session.spec.host_network;
    case SessionPhase::Expired: return status.started_s != 0;
    case SessionPhase::Running:
    case SessionPhase::Completed:
    case SessionPhase::Failed: return true;
  }
  return true;
}

NodeStatus added_up(const NodeStatus& before, NodeStatus now) {
  if (before.started_s != 0)
    now.started_s = before.started_s;
  now.packets += before.packets;
  now.events += before.events;
  now.lost += before.lost;
  now.drops += before.drops;
  for (const auto& old : before.top_drops) {
    const auto found = std::ranges::find_if(
        now.top_drops, [&](const auto& one) { return one.reason == old.reason && one.function == old.function; });
    if (found == now.top_drops.end())
      now.top_drops.push_back(old);
    else
      found->count += old.count;
  }
  std::ranges::stable_sort(now.top_drops, std::greater{}, &TopDrop::count);
  now.top_drops.resize(std::min(now.top_drops.size(), NodeStatus::kMaxDrops));
  return now;
}

}  // namespace skbtrail
