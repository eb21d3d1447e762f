#pragma once
// TraceSession: a trace that somebody asked an agent for, by kubectl or by REST, and what this node says of it.
// Values; session/session_object.h makes them from the object that users write.

#include <chrono>
#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/trace_spec.h"

namespace skbtrail {

// A session's name among all; `namespace_name` is empty for a ClusterTraceSession.
struct SessionKey {
  std::string namespace_name = {};
  std::string name;

  friend auto operator<=>(const SessionKey&, const SessionKey&) = default;
  // "shop/web-debug", or "web-debug" in the cluster: also the value of `session` in events.
  std::string text() const { return namespace_name.empty() ? name : namespace_name + "/" + name; }
};

// metav1.LabelSelector.
struct SelectorSpec {
  struct Requirement {
    std::string key;
    std::string op;  // In, NotIn, Exists, DoesNotExist
    std::vector<std::string> values = {};
    friend bool operator==(const Requirement&, const Requirement&) = default;
  };
  std::map<std::string, std::string> match_labels = {};
  std::vector<Requirement> match_expressions = {};
  friend bool operator==(const SelectorSpec&, const SelectorSpec&) = default;
};

// `spec` of both kinds, with its defaults. Bounds are those of session/session_schema.h and have been checked.
struct TraceSessionSpec {
  std::optional<SelectorSpec> pod_selector = {};  // exactly one of this and pod_names in a namespace
  std::vector<std::string> pod_names = {};
  std::optional<SelectorSpec> namespace_selector = {};  // the cluster's kind alone
  std::optional<SelectorSpec> node_selector = {};       // the cluster's kind alone
  bool host_network = false;                            // the cluster's kind alone: the nodes' own traffic
  std::string filter = {};                              // pcap expression; empty: every packet
  ProbeSet probes = ProbeSet::Path;
  std::vector<std::string> functions = {};  // regular expressions
  bool stack = false;
  std::chrono::seconds duration{60};
  std::uint64_t max_events = 10'000;        // per node
  std::uint64_t events_per_second = 1'000;  // per node
  std::uint32_t max_nodes = 32;
  std::chrono::seconds ttl_after_finished{3600};
  friend bool operator==(const TraceSessionSpec&, const TraceSessionSpec&) = default;
};

struct TraceSession {
  SessionKey key;
  std::string uid = {};  // the API server's; empty: by REST
  std::int64_t generation = 0;
  std::string requested_by = {};  // user name, for the log
  TraceSessionSpec spec = {};
  std::chrono::nanoseconds spent{0};  // of its duration, by an agent before this one
  bool is_cluster() const { return key.namespace_name.empty(); }
};

// Expired: ended by its duration without having seen anything that ended it earlier is Completed; Expired is a session
// whose time was over before this node could start it.
enum class SessionPhase : std::uint8_t { Pending, Running, Completed, Failed, Expired };

constexpr std::string_view name_of(SessionPhase phase) {
  switch (phase) {
    case SessionPhase::Pending: return "Pending";
    case SessionPhase::Running: return "Running";
    case SessionPhase::Completed: return "Completed";
    case SessionPhase::Failed: return "Failed";
    case SessionPhase::Expired: return "Expired";
  }
  return "";
}

constexpr bool is_final(SessionPhase phase) {
  return phase != SessionPhase::Pending && phase != SessionPhase::Running;
}

struct TopDrop {
  std::string reason;
  std::string function;
  std::uint64_t count = 0;
  friend bool operator==(const TopDrop&, const TopDrop&) = default;
};

// One distinct way that packets took, with the time from its first to its last step.
struct TopPath {
  std::vector<std::string> functions;  // kMaxFunctions at most: the last ones
  std::uint64_t packets = 0;
  std::uint64_t median_ns = 0;
  std::uint64_t p99_ns = 0;
  std::string end;  // dropped, delivered, consumed, last-seen
  static constexpr std::size_t kMaxFunctions = 24;
  friend bool operator==(const TopPath&, const TopPath&) = default;
};

// An entry of `status.nodes`. Small and bounded.
struct NodeStatus {
  static constexpr std::size_t kMaxDrops = 5;
  static constexpr std::size_t kMaxPaths = 5;

  SessionPhase phase = SessionPhase::Pending;
  std::string message = {};    // why it is pending or failed
  std::int64_t started_s = 0;  // Unix time; 0: not yet
  std::int64_t ended_s = 0;
  std::uint64_t pods = 0;  // selected, on this node, now
  std::string backend = {};
  std::uint64_t probes_attached = 0;
  std::uint64_t probes_rejected = 0;
  std::uint64_t packets = 0;
  std::uint64_t events = 0;
  std::uint64_t lost = 0;
  std::uint64_t lost_ring = 0;      // of `lost`: the reader was too slow
  std::uint64_t lost_budget = 0;    // more than was asked for
  std::uint64_t lost_tracking = 0;  // packets that could not be followed
  std::uint64_t drops = 0;
  std::vector<TopDrop> top_drops = {};
  std::vector<TopPath> top_paths = {};  // of probes Path, known at the end
  friend bool operator==(const NodeStatus&, const NodeStatus&) = default;
};

}  // namespace skbtrail
