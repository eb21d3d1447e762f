#pragma once
// The objects that users write (TraceSession, ClusterTraceSession) and the values that they are to us. One place checks
// them for kubectl's objects, REST and the command line alike; session/session_schema.h has the names and bounds. Pure.

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/trace_session.h"

namespace skbtrail {

constexpr std::string_view kSessionGroup = "skbtrail.dev";
constexpr std::string_view kSessionVersion = "v1alpha1";

// A whole object with apiVersion, kind, metadata and spec; `status` is not looked at. EINVAL: the message names the
// field first, as in "spec.duration: 2h is more than 1h".
Result<TraceSession> session_of(const nlohmann::json& object);

// The object again: with all defaults written out, and with `status` of this node alone. `node` is its name.
nlohmann::json object_of(const TraceSession& session, const NodeStatus& status, const std::string& node);

}  // namespace skbtrail
