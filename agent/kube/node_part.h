#pragma once
// What one node does about a session: a decision from what the API server says and from what runs here. Pure.
//
// Who takes part when there are more nodes than spec.maxNodes: whoever's entry the API server took first. Each node
// looks at the entries before it begins, after a delay of its own (by the hash of the session's uid and the node's
// name, a second at most), and again in the answer to its first entry: one that finds more than maxNodes stands back.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "kube/stored_session.h"

namespace skbtrail {

constexpr std::chrono::milliseconds kLongestDelay{1000};

// From 0 to 1, always the same of the same session and node.
double share_of(const std::string& uid, const std::string& node);

// What this agent has done about it.
struct LocalPart {
  std::string uid = {};
  std::int64_t generation = 0;
  bool stood_back = false;
  // As the manager of sessions has it, with what an agent before this one counted; none: it does not run here.
  std::optional<NodeStatus> status = {};
};

enum class PartAction : std::uint8_t { Nothing, Wait, AskLabels, Start, Remove, Tell };

struct PartDecision {
  PartAction action = PartAction::Nothing;
  TraceSession session = {};  // Start
  NodeStatus before = {};     // Start: what an agent before this one counted; Tell: what is to be told
};

struct PartQuestion {
  const StoredSession& stored;
  const LocalPart* local = nullptr;  // null: nothing has been done
  const std::string& node;
  std::chrono::milliseconds known_for{0};  // this agent has known the object for so long
  // Whether the node's labels fit spec.nodeSelector; none: not known yet.
  std::optional<bool> labels_fit = {};
  std::int64_t now_s = 0;
};

// Start, with session.spent and what is left of session.spec.max_events. Remove: what runs here is not, or no longer,
// what is asked for. Tell: nothing runs, and something is to be said. AskLabels: labels_fit is needed. Wait: ask again
// within a second.
PartDecision decide(const PartQuestion& question);

// Whether the node needs an entry for this: one without pods of the session writes none.
bool is_worth_an_entry(const TraceSession& session, const NodeStatus& status);

// `now` with what was counted before.
NodeStatus added_up(const NodeStatus& before, NodeStatus now);

}  // namespace skbtrail
