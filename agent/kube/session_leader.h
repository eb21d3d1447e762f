#pragma once
// SessionLeader: what one agent says for all: the phase, sums and conditions of each session, the end of nodes that no
// longer answer, and the deletion of what has ended long ago.

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/log_level.h"
#include "kube/api_client.h"
#include "kube/backoff.h"
#include "kube/retry.h"
#include "kube/session_store.h"

namespace skbtrail {

// Used by the controller's thread.
class SessionLeader final {
public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kNumbersEvery{10};
  // Work that a leader would have done long ago: then there is none.
  static constexpr std::chrono::seconds kNumbersLate{12};

  SessionLeader(std::string node, Teller log);

  struct Turn {
    const StoredSessions& stored;
    Clock::time_point now;
    std::int64_t now_s = 0;            // Unix time of the API server
    std::chrono::seconds outage = {};  // in which nodes could not tell of anything
  };
  // At each turn, before what follows, by leaders and others: notes what has ended since the last one.
  void look(const Turn& turn);
  // Whether to try to lead: there is work that nobody does. Who takes part in a session is quicker, and each node has a
  // patience of its own, so that a thousand idle agents do not ask all at once.
  bool should_try(const Turn& turn);
  // Whether a leader should go on: there is something that has not ended.
  bool has_work(const Turn& turn) const;
  // How long until it is worth asking should_try() or calling lead() again, if nothing changes.
  std::chrono::milliseconds next_look(const Turn& turn) const;
  // Writes what is due; only while leading.
  void lead(const Turn& turn, ApiClient& client);

private:
  struct Told {
    OverallStatus overall;
    Clock::time_point at{};
    bool is_deleted = false;
  };
  // Of a session that this agent has seen before its end: when it has seen that. Whoever saw it only afterwards has the
  // object's times alone.
  struct Seen {
    std::optional<Clock::time_point> ended_at = {};
  };

  Result<> lead_one(const StoredSession& session, const Turn& turn, ApiClient& client);
  Result<> close_overdue(const StoredSession& session, const Turn& turn, ApiClient& client);
  Result<> write(const StoredSession& session, const OverallStatus& overall, const Turn& turn, ApiClient& client);
  Result<> delete_ended(const StoredSession& session, ApiClient& client);
  std::chrono::milliseconds patience(const StoredSession& session) const;
  std::chrono::seconds until_deleted(const StoredSession& session, const Turn& turn) const;
  bool is_to_be_deleted(const StoredSession& session, const Turn& turn) const;

  std::string node_;
  Teller log_;
  std::map<std::string, Told> told_;                 // by uid
  std::map<std::string, Seen> seen_;                 // by uid
  std::map<std::string, Retry> retries_;             // by uid
  std::map<std::string, Clock::time_point> undone_;  // by uid, since when
  Backoff backoff_;
  Clock::time_point not_before_{};
};

}  // namespace skbtrail
