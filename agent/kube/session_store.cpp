#include "kube/session_store.h"

#include <utility>

namespace skbtrail {
namespace {

bool is_of(SessionKind kind, const SessionKey& key) {
  return key.namespace_name.empty() == (kind == SessionKind::ClusterTraceSession);
}

void put(StoredSessions& sessions, const nlohmann::json& object) {
  if (auto stored = stored_session_of(object)) {
    const auto key = stored->key;
    sessions.insert_or_assign(key, std::make_shared<const StoredSession>(std::move(*stored)));
  }
}

}  // namespace

SessionStore::SessionStore(std::function<void()> on_change)
    : on_change_(std::move(on_change)),
      handlers_{{*this, SessionKind::TraceSession}, {*this, SessionKind::ClusterTraceSession}} {}

StoredSessions SessionStore::all() const {
  const std::lock_guard lock{mutex_};
  return sessions_;
}

void SessionStore::KindHandler::replaced(std::vector<nlohmann::json> objects) {
  {
    const std::lock_guard lock{store_.mutex_};
    std::erase_if(store_.sessions_, [this](const auto& one) { return is_of(kind_, one.first); });
    for (const auto& object : objects)
      put(store_.sessions_, object);
  }
  store_.on_change_();
}

void SessionStore::KindHandler::changed(const nlohmann::json& object) {
  {
    const std::lock_guard lock{store_.mutex_};
    put(store_.sessions_, object);
  }
  store_.on_change_();
}

void SessionStore::KindHandler::removed(const nlohmann::json& object) {
  {
    const std::lock_guard lock{store_.mutex_};
    if (const auto stored = stored_session_of(object))
      store_.sessions_.erase(stored->key);
  }
  store_.on_change_();
}

}  // namespace skbtrail
