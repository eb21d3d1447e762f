#pragma once
// StoredSession: an object of the API server as the agents see it: what was asked for, and what all of them have said.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/trace_session.h"
#include "session/session_schema.h"

namespace skbtrail {

// Bytes of a message in a status.
inline constexpr std::size_t kMaxStatusMessage = 1024;

struct NodeEntry {
  std::string node = {};
  NodeStatus status = {};
  friend bool operator==(const NodeEntry&, const NodeEntry&) = default;
};

struct SessionCondition {
  std::string type;
  bool is_true = false;
  std::string reason;
  std::string message;
  std::int64_t since_s = 0;  // Unix time
  friend bool operator==(const SessionCondition&, const SessionCondition&) = default;
};

// `status` but for its entries: what the leader says.
struct OverallStatus {
  std::optional<SessionPhase> phase = {};  // none: nobody has said anything yet
  std::int64_t generation = 0;
  std::int64_t started_s = 0;  // Unix time; 0: not yet
  std::int64_t ended_s = 0;
  std::uint64_t nodes = 0;
  std::uint64_t packets = 0;
  std::uint64_t drops = 0;
  std::uint64_t lost = 0;
  std::vector<SessionCondition> conditions = {};
  friend bool operator==(const OverallStatus&, const OverallStatus&) = default;
};

struct StoredSession {
  SessionKey key;
  std::string uid;
  std::int64_t generation = 0;
  std::int64_t created_s = 0;
  bool is_leaving = false;            // has a deletionTimestamp
  std::optional<TraceSession> asked;  // none: it is wrong, and why:
  std::string fault;
  OverallStatus overall;
  std::vector<NodeEntry> nodes;

  const NodeEntry* entry_of(const std::string& node) const;
  bool is_finished() const { return overall.phase && is_final(*overall.phase); }
  std::chrono::seconds duration() const { return asked ? asked->spec.duration : TraceSessionSpec{}.duration; }
  // A wrong one is told of by one node.
  std::size_t max_nodes() const { return asked ? asked->spec.max_nodes : 1; }
};

// None: the object has no name or uid, so that nothing can be said of it.
std::optional<StoredSession> stored_session_of(const nlohmann::json& object);

// The object's path at the API server; `status`: of its status.
std::string path_of(const SessionKey& key);
std::string status_path_of(const SessionKey& key);
std::string collection_path_of(SessionKind kind);

// What server-side apply is given: `status` holds all that the manager says.
nlohmann::json applied_status(const SessionKey& key, const std::string& uid, nlohmann::json status);
nlohmann::json json_of(const OverallStatus& overall);

}  // namespace skbtrail
