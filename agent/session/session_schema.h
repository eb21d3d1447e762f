#pragma once
// The one table of what a session's objects hold: names, types, defaults, bounds and descriptions. Reading and checking
// (session/session_object.h), the definitions for the API server (session/session_crd.h) and docs/tracesession.md all
// come from it. Defaults are those of TraceSessionSpec{}. Pure.

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "model/trace_session.h"

namespace skbtrail {

enum class SessionKind : std::uint8_t { TraceSession, ClusterTraceSession };

constexpr SessionKind kSessionKinds[] = {SessionKind::TraceSession, SessionKind::ClusterTraceSession};

struct KindNames {
  std::string_view kind;
  std::string_view plural;
  std::string_view singular;
  std::string_view short_name;
  std::string_view description;
};

const KindNames& names_of(SessionKind kind);

// A field's type is that of the member it is kept in.
using SpecMember = std::variant<std::string TraceSessionSpec::*, bool TraceSessionSpec::*, ProbeSet TraceSessionSpec::*,
                                std::uint32_t TraceSessionSpec::*, std::uint64_t TraceSessionSpec::*,
                                std::chrono::seconds TraceSessionSpec::*, std::vector<std::string> TraceSessionSpec::*,
                                std::optional<SelectorSpec> TraceSessionSpec::*>;

enum class FieldForm : std::uint8_t {
  Plain,         // a time is a whole number of seconds
  Duration,      // a time is text such as 90s, 2m or 1h
  PodReference,  // items of a list are names of pods
};

struct SpecField {
  std::string_view name;
  SpecMember member;
  std::string_view description;
  // Of a number; of a time in seconds; of a text in characters, or those of a list's items.
  std::uint64_t minimum = 0;
  std::uint64_t maximum = 0;
  std::size_t max_items = 0;  // of a list
  FieldForm form = FieldForm::Plain;
  bool in_namespaced = true;
  bool in_cluster = true;

  bool belongs_to(SessionKind kind) const { return kind == SessionKind::TraceSession ? in_namespaced : in_cluster; }
};

std::span<const SpecField> spec_fields();

// What holds between fields: a rule in CEL for the API server, and the same in words and in C++ for us.
struct SpecRule {
  SessionKind kind;
  std::string_view cel;
  std::string_view message;
  bool (*holds)(const TraceSessionSpec&);
};

std::span<const SpecRule> spec_rules();

// Entries of status.nodes. A number of seconds is a time; 0 is none.
using NodeMember =
    std::variant<std::string NodeStatus::*, std::uint64_t NodeStatus::*, std::int64_t NodeStatus::*,
                 SessionPhase NodeStatus::*, std::vector<TopDrop> NodeStatus::*, std::vector<TopPath> NodeStatus::*>;

struct NodeField {
  std::string_view name;
  NodeMember member;
  std::string_view description;
};

std::span<const NodeField> node_fields();

// The fields of status beside `nodes` and `conditions`.
enum class StatusForm : std::uint8_t { Count, Phase, Time };

struct StatusField {
  std::string_view name;
  StatusForm form;
  std::string_view description;
};

std::span<const StatusField> status_fields();

constexpr std::string_view kProbeSetNames[] = {"Path", "All", "Drops"};  // by ProbeSet
constexpr std::string_view kPhaseNames[] = {"Pending", "Running", "Completed", "Failed", "Expired"};
constexpr std::string_view kSelectorOperators[] = {"In", "NotIn", "Exists", "DoesNotExist"};

// Bounds of a selector: beyond Kubernetes' own, so that the API server can tell what its rules cost.
constexpr std::size_t kMaxSelectorLabels = 32;
constexpr std::size_t kMaxSelectorRequirements = 32;
constexpr std::size_t kMaxSelectorValues = 32;
constexpr std::size_t kMaxNodes = 256;
constexpr std::string_view kDurationPattern = "^([0-9]{1,2}h)?([0-9]{1,4}m)?([0-9]{1,6}s)?$";
constexpr std::size_t kMaxDurationText = 16;

// "90s", "2m", "1h", "1h30m": hours, minutes and seconds in this order. EINVAL: the message says what would be right.
Result<std::chrono::seconds> duration_of(std::string_view text);
// As few units as say the same: "1h", "90s" as "1m30s".
std::string duration_text(std::chrono::seconds duration);

// "2026-11-24T09:00:00Z", as Kubernetes writes times.
std::string time_text(std::int64_t unix_seconds);
// Also with a fraction, which is dropped. None: no such time.
std::optional<std::int64_t> time_of(std::string_view text);

}  // namespace skbtrail
