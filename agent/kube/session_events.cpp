#include "kube/session_events.h"

#include <cstdio>
#include <string_view>

#include "session/session_object.h"

namespace skbtrail {
namespace {

std::string space_of(const SessionKey& key) {
  return key.namespace_name.empty() ? "default" : key.namespace_name;
}

std::string_view reason_of(SessionPhase phase) {
  return phase == SessionPhase::Running ? "Started" : name_of(phase);
}

}  // namespace

std::string events_path_of(const SessionKey& key) {
  return "/api/v1/namespaces/" + space_of(key) + "/events";
}

// One name for one phase of one object: a second leader's is refused instead of being told twice.
nlohmann::json event_of(const StoredSession& session, const OverallStatus& overall, const std::string& node,
                        std::int64_t now_s) {
  const auto kind = session.key.namespace_name.empty() ? SessionKind::ClusterTraceSession : SessionKind::TraceSession;
  const auto version = std::string(kSessionGroup) + "/" + std::string(kSessionVersion);
  const auto phase = *overall.phase;
  const bool is_bad = phase == SessionPhase::Failed || phase == SessionPhase::Expired;
  nlohmann::json about = {
      {"apiVersion", version}, {"kind", names_of(kind).kind}, {"name", session.key.name}, {"uid", session.uid}};
  if (!session.key.namespace_name.empty())
    about["namespace"] = session.key.namespace_name;
  const std::string name =
      session.key.name.substr(0, 180) + "." + session.uid.substr(0, 8) + "." + std::to_string(static_cast<int>(phase));
  return {{"apiVersion", "v1"},
          {"kind", "Event"},
          {"metadata", {{"name", name}, {"namespace", space_of(session.key)}}},
          {"involvedObject", std::move(about)},
          {"reason", reason_of(phase)},
          {"message", overall.conditions.empty() ? std::string() : overall.conditions.front().message},
          {"type", is_bad ? "Warning" : "Normal"},
          {"source", {{"component", "skbtrail"}, {"host", node}}},
          {"firstTimestamp", time_text(now_s)},
          {"lastTimestamp", time_text(now_s)},
          {"count", 1}};
}

}  // namespace skbtrail
