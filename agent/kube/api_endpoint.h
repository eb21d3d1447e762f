#pragma once
// ApiEndpoint: what all connections of an agent to its API server share: how to reach it, and the counts of requests.

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "kube/kube_config.h"

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
  RequestCounts counts() const {
    const std::lock_guard lock{mutex_};
    return counts_;
  }

private:
  const KubeConfig config_;
  mutable std::mutex mutex_;
  RequestCounts counts_;
};

}  // namespace skbtrail
