#pragma once
// Sessions as the API server would have them, for tests.

#include <map>
#include <string>
#include <vector>

#include "kube/stored_session.h"

namespace skbtrail {

constexpr std::int64_t kCreated = 1'800'000'000;

inline StoredSession stored_session(std::vector<NodeEntry> nodes = {}) {
  StoredSession stored;
  stored.key = {.namespace_name = "shop", .name = "web"};
  stored.uid = "uid-1";
  stored.generation = 1;
  stored.created_s = kCreated;
  stored.asked = TraceSession{.key = stored.key, .uid = stored.uid, .generation = 1};
  stored.asked->spec.pod_names = {"web-0"};
  stored.asked->spec.duration = std::chrono::seconds(60);
  stored.nodes = std::move(nodes);
  return stored;
}

inline NodeEntry entry(const std::string& node, SessionPhase phase, std::int64_t started_s = 0,
                       std::int64_t ended_s = 0) {
  return {.node = node, .status = {.phase = phase, .started_s = started_s, .ended_s = ended_s}};
}

}  // namespace skbtrail
