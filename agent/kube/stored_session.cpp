#include "kube/stored_session.h"

#include <algorithm>
#include <utility>

#include "base/json_value.h"
#include "session/session_object.h"
#include "session/status_object.h"

namespace skbtrail {
namespace {

using nlohmann::json;

std::uint64_t count_at(const json& object, const char* name) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(number_at(object, name), 0));
}

std::int64_t time_at(const json& object, const char* name) {
  return time_of(text_at(object, name)).value_or(0);
}

std::optional<SessionPhase> phase_at(const json& object, const char* name) {
  const auto* found = std::ranges::find(kPhaseNames, text_at(object, name));
  if (found == std::end(kPhaseNames))
    return std::nullopt;
  return static_cast<SessionPhase>(found - std::begin(kPhaseNames));
}

OverallStatus overall_of(const json& status) {
  OverallStatus overall{.phase = phase_at(status, "phase"),
                        .generation = number_at(status, "observedGeneration"),
                        .started_s = time_at(status, "startTime"),
                        .ended_s = time_at(status, "completionTime"),
                        .nodes = count_at(status, "nodesTotal"),
                        .packets = count_at(status, "packets"),
                        .drops = count_at(status, "drops"),
                        .lost = count_at(status, "lost")};
  for (const json& one : member_of(status, "conditions"))
    overall.conditions.push_back({.type = text_at(one, "type"),
                                  .is_true = text_at(one, "status") == "True",
                                  .reason = text_at(one, "reason"),
                                  .message = text_at(one, "message"),
                                  .since_s = time_at(one, "lastTransitionTime")});
  return overall;
}

SessionKind kind_of(const SessionKey& key) {
  return key.namespace_name.empty() ? SessionKind::ClusterTraceSession : SessionKind::TraceSession;
}

std::string version_text() {
  return std::string(kSessionGroup) + "/" + std::string(kSessionVersion);
}

}  // namespace

const NodeEntry* StoredSession::entry_of(const std::string& node) const {
  const auto found = std::ranges::find(nodes, node, &NodeEntry::node);
  return found == nodes.end() ? nullptr : &*found;
}

std::optional<StoredSession> stored_session_of(const json& object) {
  const json& metadata = member_of(object, "metadata");
  StoredSession stored{.key = {.namespace_name = text_at(metadata, "namespace"), .name = text_at(metadata, "name")},
                       .uid = text_at(metadata, "uid"),
                       .generation = number_at(metadata, "generation"),
                       .created_s = time_at(metadata, "creationTimestamp"),
                       .is_leaving = !text_at(metadata, "deletionTimestamp").empty(),
                       .asked = {},
                       .fault = {},
                       .overall = overall_of(member_of(object, "status")),
                       .nodes = {}};
  if (stored.key.name.empty() || stored.uid.empty())
    return std::nullopt;
  for (const json& entry : member_of(member_of(object, "status"), "nodes"))
    stored.nodes.push_back({.node = text_at(entry, "node"), .status = node_status_of(entry)});
  if (auto asked = session_of(object))
    stored.asked = std::move(*asked);
  else
    stored.fault = asked.error().message;
  return stored;
}

std::string collection_path_of(SessionKind kind) {
  return "/apis/" + version_text() + "/" + std::string(names_of(kind).plural);
}

std::string path_of(const SessionKey& key) {
  const std::string plural(names_of(kind_of(key)).plural);
  const std::string inside = key.namespace_name.empty() ? "" : "namespaces/" + key.namespace_name + "/";
  return "/apis/" + version_text() + "/" + inside + plural + "/" + key.name;
}

std::string status_path_of(const SessionKey& key) {
  return path_of(key) + "/status";
}

// With the uid, so that what is said of one object never reaches another one of the same name.
json applied_status(const SessionKey& key, const std::string& uid, json status) {
  json metadata = {{"name", key.name}, {"uid", uid}};
  if (!key.namespace_name.empty())
    metadata["namespace"] = key.namespace_name;
  return {{"apiVersion", version_text()},
          {"kind", names_of(kind_of(key)).kind},
          {"metadata", std::move(metadata)},
          {"status", std::move(status)}};
}

json json_of(const OverallStatus& overall) {
  json status = {{"observedGeneration", overall.generation},
                 {"nodesTotal", overall.nodes},
                 {"packets", overall.packets},
                 {"drops", overall.drops},
                 {"lost", overall.lost}};
  if (overall.phase)
    status["phase"] = name_of(*overall.phase);
  if (overall.started_s != 0)
    status["startTime"] = time_text(overall.started_s);
  if (overall.ended_s != 0)
    status["completionTime"] = time_text(overall.ended_s);
  for (const auto& one : overall.conditions)
    status["conditions"].push_back({{"type", one.type},
                                    {"status", one.is_true ? "True" : "False"},
                                    {"observedGeneration", overall.generation},
                                    {"reason", one.reason},
                                    {"message", one.message},
                                    {"lastTransitionTime", time_text(one.since_s)}});
  return status;
}

}  // namespace skbtrail
