#pragma once
// ListWatch: keeps a copy of one kind of objects current: lists them once, then watches their changes; lists again
// only when the server no longer knows where we were.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/result.h"
#include "kube/api_client.h"
#include "kube/backoff.h"
#include "kube/request_thread.h"

namespace skbtrail {

// Called by the thread of the ListWatch.
class WatchHandler {
public:
  virtual ~WatchHandler() = default;
  // All that there are; what is not among them is gone.
  virtual void replaced(std::vector<nlohmann::json> objects) = 0;
  virtual void changed(const nlohmann::json& object) = 0;
  virtual void removed(const nlohmann::json& object) = 0;
};

class ListWatch final {
public:
  struct Settings {
    std::string path;        // "/apis/skbtrail.dev/v1alpha1/tracesessions"
    std::string name = {};   // of the thread
    std::uint64_t seed = 0;  // of chance; each node has another one
    // How long one watch lasts: by chance between this and twice this.
    std::chrono::seconds watch_time{300};
    // Nothing may come for so long beyond the watch's time; then the connection is dead.
    std::chrono::seconds grace{15};
    Backoff::Duration least_wait{500};
    Backoff::Duration most_wait{30'000};
  };

  // Starts at once. `handler` outlives this.
  ListWatch(std::shared_ptr<ApiEndpoint> endpoint, Settings settings, WatchHandler& handler);
  // Within some milliseconds.
  ~ListWatch();
  ListWatch(const ListWatch&) = delete;
  ListWatch& operator=(const ListWatch&) = delete;

  // Why the copy is not current; empty: it is. Any thread.
  std::string trouble() const;
  // Whether it has listed at least once; whether it has tried. Any thread.
  bool has_listed() const { return listed_; }
  bool has_asked() const { return asked_; }

private:
  void run();
  Result<> list();
  Result<> watch();
  bool take(std::string_view line);
  bool take_event(const std::string& type, const nlohmann::json& object);
  void set_trouble(std::string trouble);
  bool sleep(Backoff::Duration time);

  Settings settings_;
  WatchHandler& handler_;
  ApiClient client_;
  Backoff backoff_;
  std::mt19937_64 random_;
  std::string version_;  // of the last thing that we know; empty: list
  Result<> in_stream_;   // what the server said within a watch
  bool progressed_ = false;
  std::atomic<bool> listed_ = false;
  std::atomic<bool> asked_ = false;
  std::atomic<bool> stopping_ = false;
  mutable std::mutex mutex_;
  std::condition_variable stopped_;
  std::string trouble_;
  RequestThread thread_;
};

}  // namespace skbtrail
