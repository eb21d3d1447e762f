#pragma once
// What a session asks for, in the words of the tracer and of the pod index. Pure.

#include "base/result.h"
#include "model/trace_session.h"
#include "model/trace_spec.h"
#include "pods/pod_query.h"

namespace skbtrail {

// Without what depends on the node: which pods there are, and its network namespace.
TraceSpec trace_spec_of(const TraceSession& session);

// EINVAL: a selector that asks for what a node does not know; the message names the field.
Result<PodQuery> pod_query_of(const TraceSession& session);

}  // namespace skbtrail
