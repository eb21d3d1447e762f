#pragma once
// The spec of a session: as an object, checked by the table of session/session_schema.h, and as a value. Pure.

#include <nlohmann/json.hpp>

#include "base/result.h"
#include "model/trace_session.h"
#include "session/session_schema.h"

namespace skbtrail {

// EINVAL: the message names the field first, as in "spec.duration: 2h is more than 1h".
Result<TraceSessionSpec> spec_of(SessionKind kind, const nlohmann::json& value);

// With all defaults written out.
nlohmann::json as_json(SessionKind kind, const TraceSessionSpec& spec);

}  // namespace skbtrail
