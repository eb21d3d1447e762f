#include "session/session_object.h"

#include <utility>

#include "base/json_value.h"
#include "base/shown_text.h"
#include "pods/label_syntax.h"
#include "session/object_check.h"
#include "session/session_schema.h"
#include "session/spec_object.h"
#include "session/status_object.h"

namespace skbtrail {

using nlohmann::json;

namespace {

Result<SessionKind> kind_of(const json& object) {
  const std::string version = std::string(kSessionGroup) + "/" + std::string(kSessionVersion);
  for (const char* needed : {"apiVersion", "kind", "metadata", "spec"})
    if (!object.contains(needed))
      return wrong(needed, "is missing");
  if (const auto text = TRY(checked_text(object["apiVersion"], "apiVersion")); text != version)
    return wrong("apiVersion", in_quotes(text) + " is not " + version);
  const auto name = TRY(checked_text(object["kind"], "kind"));
  for (const SessionKind kind : kSessionKinds)
    if (names_of(kind).kind == name)
      return kind;
  return wrong("kind", in_quotes(name) + " is not TraceSession or ClusterTraceSession");
}

Result<SessionKey> key_of(SessionKind kind, const json& metadata) {
  if (!metadata.is_object())
    return not_a("an object", metadata, "metadata");
  SessionKey key;
  if (!metadata.contains("name"))
    return wrong("metadata.name", "is missing");
  key.name = TRY(checked_text(metadata["name"], "metadata.name"));
  if (!is_dns_subdomain(key.name))
    return wrong("metadata.name", in_quotes(key.name) + " is no name of an object: small letters, digits, '-' and '.'");
  const bool has_namespace = metadata.contains("namespace");
  if (has_namespace)
    key.namespace_name = TRY(checked_text(metadata["namespace"], "metadata.namespace"));
  if (kind == SessionKind::ClusterTraceSession) {
    if (has_namespace)
      return wrong("metadata.namespace", "a ClusterTraceSession has none");
  } else if (!has_namespace) {
    return wrong("metadata.namespace", "is missing");
  } else if (!is_dns_label(key.namespace_name)) {
    return wrong("metadata.namespace", in_quotes(key.namespace_name) + " is no name of a namespace");
  }
  return key;
}

}  // namespace

Result<TraceSession> session_of(const json& object) {
  if (!object.is_object())
    return refuse(EINVAL, "the object must be an object of JSON, not " + std::string(type_of(object)));
  const SessionKind kind = TRY(kind_of(object));
  for (const auto& [name, unused] : object.items())
    if (name != "apiVersion" && name != "kind" && name != "metadata" && name != "spec" && name != "status")
      return unknown_field("", name, "apiVersion, kind, metadata and spec");
  const json& metadata = object["metadata"];
  TraceSession session{.key = TRY(key_of(kind, metadata))};
  session.uid = text_at(metadata, "uid");
  session.generation = static_cast<std::int64_t>(count_at(metadata, "generation"));
  session.spec = TRY(spec_of(kind, object["spec"]));
  return session;
}

json object_of(const TraceSession& session, const NodeStatus& status, const std::string& node) {
  const SessionKind kind = session.is_cluster() ? SessionKind::ClusterTraceSession : SessionKind::TraceSession;
  json metadata = {{"name", session.key.name}};
  if (!session.is_cluster())
    metadata["namespace"] = session.key.namespace_name;
  if (!session.uid.empty())
    metadata["uid"] = session.uid;
  if (session.generation != 0)
    metadata["generation"] = session.generation;
  json overall = {
      {"phase", name_of(status.phase)}, {"nodesTotal", 1},     {"packets", status.packets},
      {"drops", status.drops},          {"lost", status.lost}, {"nodes", json::array({node_entry_of(status, node)})}};
  if (status.started_s != 0)
    overall["startTime"] = time_text(status.started_s);
  if (status.ended_s != 0)
    overall["completionTime"] = time_text(status.ended_s);
  return {{"apiVersion", std::string(kSessionGroup) + "/" + std::string(kSessionVersion)},
          {"kind", names_of(kind).kind},
          {"metadata", std::move(metadata)},
          {"spec", as_json(kind, session.spec)},
          {"status", std::move(overall)}};
}

}  // namespace skbtrail
