#pragma once
// ApiEndpoint: what all connections of an agent to its API server share: how to reach it, what time it is there, and
// the counts of requests.

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "base/clock.h"
#include "kube/kube_config.h"
#include "kube/server_clock.h"

namespace skbtrail {

// Requests by verb (get, list, watch, create, update, apply, delete) and code of the answer; 0: none came.
using RequestCounts = std::map<std::pair<std::string, int>, std::uint64_t>;

// Any thread.
class ApiEndpoint final {
public:
  explicit ApiEndpoint(KubeConfig config) : config_(std::move(config)) {}

  const KubeConfig& config() const { return config_; }

  void count(const std::string& verb, int code) {
    const std::lock_guard lock{mutex_};
    ++counts_[{verb, code}];
  }
  // The Date of an answer, which may be none.
  void note_date(const std::string& date) {
    if (const auto server_s = time_of_http_date(date)) {
      const std::lock_guard lock{mutex_};
      clock_.tell(*server_s, ServerClock::Steady::now());
    }
  }
  // Unix time of the API server.
  std::int64_t now_s() const {
    const std::lock_guard lock{mutex_};
    return clock_.now_s(ServerClock::Steady::now(), static_cast<std::int64_t>(realtime_ns() / 1'000'000'000));
  }
  RequestCounts counts() const {
    const std::lock_guard lock{mutex_};
    return counts_;
  }

private:
  const KubeConfig config_;
  mutable std::mutex mutex_;
  RequestCounts counts_;
  ServerClock clock_;
};

}  // namespace skbtrail
