#pragma once
// NodeSessions: this node's part in the sessions of the API server: starts and ends them here, and writes this node's
// entry into their status. kube/node_part.h decides.

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "base/log_level.h"
#include "kube/backoff.h"
#include "kube/node_labels.h"
#include "kube/node_part.h"
#include "kube/retry.h"
#include "kube/session_store.h"
#include "session/session_control.h"

namespace skbtrail {

// changed(): any thread. The rest: the controller's thread.
class NodeSessions final : public SessionListener {
public:
  using Clock = std::chrono::steady_clock;

  // All nodes of a session together write numbers about once in this time.
  static constexpr std::chrono::seconds kNumbersEvery{10};

  struct Settings {
    std::string node;
    std::function<void()> wake = [] {};  // after changed()
    Teller log = tell_nobody;
    Backoff::Duration least_wait{500};
    Backoff::Duration most_wait{10'000};
  };
  explicit NodeSessions(Settings settings);

  void changed(const SessionView& view) override;

  struct Turn {
    const StoredSessions& stored;
    ApiClient& client;
    Clock::time_point now;
    std::int64_t now_s = 0;  // Unix time
  };
  // Starts what is to be traced here, removes what is not. Only of kinds that have been listed: `stored` is all.
  void reconcile(const Turn& turn, SessionControl& control);
  // Writes what is due. How long until something may be due.
  std::chrono::milliseconds write(const Turn& turn);
  // The same without patience, once: the last words.
  void write_last(const Turn& turn);

  // Whether this node has an entry of its own in a session that has not ended.
  bool takes_part() const;

private:
  struct Part {
    LocalPart local;
    bool is_controlled = false;  // the manager of sessions has it
    TraceSession session;
    NodeStatus before;
    Clock::time_point known_since{};
    std::optional<NodeStatus> written;
    Clock::time_point written_at{};
    bool is_standing_back = false;  // does not run here any more, and its entry is still to be taken away
    Retry retry = {};
  };
  using Parts = std::map<SessionKey, Part>;

  void take_in_heard();
  Part& part_of(const StoredSession& stored, Clock::time_point now);
  void act(const StoredSession& stored, Part& part, const Turn& turn, SessionControl& control);
  void start(const StoredSession& stored, Part& part, PartDecision decision, SessionControl& control) const;
  void remove(const SessionKey& key, Part& part, SessionControl& control);
  bool is_due(const StoredSession& stored, const Part& part, Clock::time_point now) const;
  bool has_news(const Part& part) const;
  Result<> write_entry(const StoredSession& stored, Part& part, const Turn& turn);
  Result<> write_one(const StoredSession& stored, Part& part, const Turn& turn);
  Result<> stand_back(const StoredSession& stored, Part& part, ApiClient& client);
  void stop_here(const StoredSession& stored, Part& part);
  std::chrono::milliseconds until_next(const Turn& turn) const;

  Settings settings_;
  std::string manager_;  // of fields
  NodeLabels labels_;
  Parts parts_;
  std::vector<SessionKey> to_end_;  // stood back: the manager of sessions does not know yet
  Backoff backoff_;
  Clock::time_point not_before_{};
  std::mutex mutex_;
  std::map<std::pair<SessionKey, std::string>, NodeStatus> heard_;  // by key and uid
};

// "skbtrail-NODE"; the API server takes at most 128 characters.
std::string field_manager_of(const std::string& node);

}  // namespace skbtrail
