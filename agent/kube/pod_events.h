#pragma once
// PodEvents: Warning Events on pods that lose packets, written by a thread of its own, so that nothing that counts
// waits for the API server.

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/log_level.h"
#include "kube/api_client.h"
#include "kube/backoff.h"
#include "kube/pod_warnings.h"
#include "kube/request_thread.h"
#include "model/pod_drop.h"
#include "sink/kube_metrics.h"

namespace skbtrail {

// The object that is written. `node` is the reporting agent's; `name` is one that no other event has.
nlohmann::json event_of(const PodWarning& warning, const std::string& node, const std::string& name,
                        std::int64_t now_s);

class PodEvents final {
public:
  using Clock = PodWarnings::Clock;

  PodEvents(std::shared_ptr<ApiEndpoint> endpoint, std::string node, Teller log);
  // What has not been written is not written any more.
  ~PodEvents();
  PodEvents(const PodEvents&) = delete;
  PodEvents& operator=(const PodEvents&) = delete;

  // Any thread; returns at once.
  void note(const PodDrop& drop);
  PodEventNumbers counts() const;

private:
  // One that is being written: an API server that is away is asked for the same one again.
  struct Pending {
    std::string path;
    nlohmann::json event;
    Clock::time_point since;
  };

  void run();
  bool take_next();
  std::optional<std::chrono::milliseconds> write();
  bool is_stopping() const;

  std::string node_;
  Teller log_;
  ApiClient client_;
  Backoff backoff_;
  std::optional<Pending> pending_;  // of the thread
  mutable std::mutex mutex_;
  std::condition_variable stop_;
  PodWarnings warnings_;
  PodEventNumbers counts_;
  bool stopping_ = false;
  RequestThread thread_;  // last: it uses all of the above
};

}  // namespace skbtrail
