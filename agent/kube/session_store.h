#pragma once
// SessionStore: the sessions that the API server has, kept current by one ListWatch for each kind.

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "kube/list_watch.h"
#include "kube/stored_session.h"

namespace skbtrail {

using StoredSessions = std::map<SessionKey, std::shared_ptr<const StoredSession>>;

// Any thread.
class SessionStore final {
public:
  // `on_change` is called by the threads of the watches, without a lock.
  explicit SessionStore(std::function<void()> on_change);

  StoredSessions all() const;
  // What a ListWatch of this kind is given; lives as long as the store.
  WatchHandler& handler(SessionKind kind) { return handlers_[static_cast<std::size_t>(kind)]; }

private:
  class KindHandler final : public WatchHandler {
  public:
    KindHandler(SessionStore& store, SessionKind kind) : store_(store), kind_(kind) {}
    void replaced(std::vector<nlohmann::json> objects) override;
    void changed(const nlohmann::json& object) override;
    void removed(const nlohmann::json& object) override;

  private:
    SessionStore& store_;
    SessionKind kind_;
  };

  std::function<void()> on_change_;
  mutable std::mutex mutex_;
  StoredSessions sessions_;
  KindHandler handlers_[2];  // by SessionKind
};

}  // namespace skbtrail
