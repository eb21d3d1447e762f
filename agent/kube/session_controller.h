#pragma once
// SessionController: an agent's side of Kubernetes: watches the sessions of the API server, runs this node's part of
// them, tells of it in their status, and leads when it is this agent's turn.

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/log_level.h"
#include "kube/api_client.h"
#include "kube/leader_lease.h"
#include "kube/list_watch.h"
#include "kube/node_sessions.h"
#include "kube/outage.h"
#include "kube/request_thread.h"
#include "kube/session_leader.h"
#include "kube/session_store.h"
#include "kube/session_summary.h"
#include "session/session_control.h"

namespace skbtrail {

// begin(), quiesce() and the destructor: one thread. The rest: any.
class SessionController final {
public:
  using Clock = std::chrono::steady_clock;

  struct Settings {
    std::string node;
    std::string namespace_name;  // of the Lease
    Teller log = tell_nobody;
    ListWatch::Settings watch = {};  // but for path, name and seed
    LeaseTimes lease = {};
  };

  SessionController(std::shared_ptr<ApiEndpoint> endpoint, Settings settings);
  // Writes the last words of the sessions, in three seconds at most.
  ~SessionController();
  SessionController(const SessionController&) = delete;
  SessionController& operator=(const SessionController&) = delete;

  // What the manager of sessions tells; for its list of listeners, before begin().
  SessionListener& listener() { return *sessions_; }
  // Starts to watch and to command `control`, which lives until quiesce() returns.
  void begin(SessionControl& control);
  // Commands no more. What listener() hears after that is still written by the destructor.
  void quiesce();

  // What is missing for it to work, one line each; empty: all is well.
  std::vector<std::string> troubles() const;
  // Whether it knows all sessions that there are.
  bool is_current() const;
  bool is_leader() const;

private:
  void run(SessionControl& control);
  std::chrono::milliseconds turn(SessionControl& control);
  std::chrono::milliseconds turn_safely(SessionControl& control);
  void lead(const SessionLeader::Turn& turn);
  void log_troubles();
  void wake();
  std::unique_ptr<ListWatch> watch(SessionKind kind);

  std::shared_ptr<ApiEndpoint> endpoint_;
  Settings settings_;
  ApiClient client_;
  SessionStore store_;
  std::unique_ptr<NodeSessions> sessions_;
  SessionLeader leader_;
  std::vector<std::string> told_troubles_;
  Outage outage_{kOverdue};
  mutable std::mutex mutex_;
  std::condition_variable woken_;
  bool is_awake_ = true;
  bool stopping_ = false;
  std::unique_ptr<LeaderLease> lease_;
  std::unique_ptr<ListWatch> watches_[2];  // by SessionKind
  RequestThread thread_;
};

}  // namespace skbtrail
