#pragma once
// Events of Kubernetes about a session: what `kubectl describe` shows below it.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "kube/api_client.h"
#include "kube/stored_session.h"

namespace skbtrail {

// Of a change of its phase; `node` is the reporting agent's. Those of the cluster's kind are in the namespace default.
nlohmann::json event_of(const StoredSession& session, const OverallStatus& overall, const std::string& node,
                        std::int64_t now_s);
std::string events_path_of(const SessionKey& key);

}  // namespace skbtrail
