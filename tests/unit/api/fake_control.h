#pragma once
// FakeControl: sessions that only a test moves. Its events are a real feed's.

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "session/event_feed.h"
#include "session/session_control.h"

namespace skbtrail::test {

class FakeControl final : public SessionControl {
public:
  Result<> start(TraceSession session, SessionOrigin origin) override {
    const std::lock_guard lock{mutex_};
    if (session.spec.filter == "tcp or")
      return refuse(EINVAL, "spec.filter: syntax error");
    if (sessions_.contains(session.key))
      return refuse(EEXIST, "session '" + session.key.text() + "' exists already");
    if (sessions_.size() >= max_sessions)
      return refuse(EAGAIN, "too many sessions wait on this node already");
    auto feed = std::make_shared<EventFeed>("n1", session.key.text());
    const SessionKey key = session.key;
    sessions_.emplace(key, Entry{{.session = std::move(session), .origin = origin, .status = {.packets = 3}}, feed});
    return {};
  }
  Result<> remove(const SessionKey& key) override {
    const std::lock_guard lock{mutex_};
    const auto found = sessions_.find(key);
    if (found == sessions_.end())
      return refuse(ENOENT, "session '" + key.text() + "' is not on this node");
    found->second.feed->end();
    sessions_.erase(found);
    return {};
  }
  std::vector<SessionView> list() const override {
    const std::lock_guard lock{mutex_};
    std::vector<SessionView> views;
    for (const auto& [key, entry] : sessions_)
      views.push_back(entry.view);
    return views;
  }
  std::optional<SessionView> find(const SessionKey& key) const override {
    const std::lock_guard lock{mutex_};
    const auto found = sessions_.find(key);
    return found == sessions_.end() ? std::nullopt : std::optional(found->second.view);
  }
  Result<std::unique_ptr<EventStream>> follow(const SessionKey& key, std::size_t tail) override {
    const std::lock_guard lock{mutex_};
    const auto found = sessions_.find(key);
    if (found == sessions_.end())
      return refuse(ENOENT, "session '" + key.text() + "' is not on this node");
    return found->second.feed->follow(tail);
  }

  // An event of a session that is there.
  void tell(const SessionKey& key, const std::string& line) {
    const std::lock_guard lock{mutex_};
    sessions_.at(key).feed->accept(
        std::make_shared<const LineBatch>(LineBatch{.session = key.text(), .lines = {{.type = "hop", .text = line}}}));
  }

  std::size_t max_sessions = 1000;

private:
  struct Entry {
    SessionView view;
    std::shared_ptr<EventFeed> feed;
  };

  mutable std::mutex mutex_;
  std::map<SessionKey, Entry> sessions_;
};

}  // namespace skbtrail::test
