#pragma once
// LeaderLease: one of all agents is the leader, by a Lease. It is asked for only while somebody wants to lead, so that
// a cluster at rest makes no requests for it.

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "base/log_level.h"
#include "kube/api_client.h"
#include "kube/lease_state.h"
#include "kube/request_thread.h"

namespace skbtrail {

class LeaderLease final {
public:
  using Clock = LeaseState::Clock;

  struct Settings {
    std::string name = "skbtrail";
    std::string namespace_name = {};
    std::string me = {};
    LeaseTimes times = {};
    std::function<void()> on_change = [] {};  // by the thread: this agent leads, or does not
    Teller log = tell_nobody;                 // what went wrong, once
  };

  // Starts a thread of its own: a lease is kept whatever else is slow.
  LeaderLease(std::shared_ptr<ApiEndpoint> endpoint, Settings settings);
  // Gives the lease back, in two seconds at most.
  ~LeaderLease();
  LeaderLease(const LeaderLease&) = delete;
  LeaderLease& operator=(const LeaderLease&) = delete;

  // Any thread. Whether there is something to lead, as this agent sees it.
  void want(bool wanted);
  bool is_leader() const;

private:
  void run();
  void try_once();
  Result<> take_or_look();
  void give_back();
  void note_change();

  std::shared_ptr<ApiEndpoint> endpoint_;
  Settings settings_;
  ApiClient client_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  LeaseState state_;
  bool wanted_ = false;
  bool stopping_ = false;
  bool was_leader_ = false;
  std::string told_;  // of the last failure
  RequestThread thread_;
};

}  // namespace skbtrail
