#pragma once
// What a node says of a session, as an entry of status.nodes, and read back from one. Pure.

#include <nlohmann/json.hpp>
#include <string>

#include "model/trace_session.h"

namespace skbtrail {

nlohmann::json node_entry_of(const NodeStatus& status, const std::string& node);

// The entry is the API server's and has been checked there: what is absent or of another type is as in NodeStatus{}.
NodeStatus node_status_of(const nlohmann::json& entry);

}  // namespace skbtrail
