#pragma once
// HostWatcher: a thread that keeps the facts which the host itself knows about pods, interfaces and cgroups, and hands
// them on whenever they change.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "pods/cgroup_tree.h"
#include "pods/facts.h"
#include "pods/link_monitor.h"

namespace skbtrail {

struct HostFacts {
  std::uint32_t netns_inum = 0;  // of the host: the network namespace that the watcher was started in
  std::vector<Interface> interfaces = {};
  std::vector<PodCgroup> cgroups = {};
};

// A namespace whose interfaces are to be watched; `file` is held no longer than until the watcher has looked at it.
struct CoveredNetns {
  std::uint32_t inum = 0;
  std::shared_ptr<const UniqueFd> file;
};

class HostWatcher final {
public:
  // Changes that come together are handed on together, at most so often.
  static constexpr std::chrono::milliseconds kPause{20};
  // Where the kernel does not tell of all changes, everything is read again so often.
  static constexpr std::chrono::seconds kReadAgain{5};

  struct Settings {
    std::string mountinfo = {};  // text of /proc/self/mountinfo: where cgroup2 is; empty: cgroups are not watched
  };
  // Called on the watcher's thread, for the first time soon after the start.
  using Tell = std::function<void(const HostFacts&)>;

  // In the network namespace of the calling thread, which should be the host's. Never fails as a whole: what cannot be
  // watched is named by lacks().
  static std::unique_ptr<HostWatcher> start(const Settings& settings, Tell tell);

  HostWatcher(const HostWatcher&) = delete;
  HostWatcher& operator=(const HostWatcher&) = delete;
  ~HostWatcher();

  // Any thread. These namespaces besides the host's, instead of those of the last call.
  void cover(std::vector<CoveredNetns> namespaces);

  // What could not be watched at the start, each with its reason; empty: everything is.
  const std::vector<std::string>& lacks() const { return lacks_; }
  std::uint32_t host_netns_inum() const { return netns_inum_; }

private:
  HostWatcher(Tell tell, UniqueFd wake);

  void open_links();
  void open_cgroups(const std::string& mountinfo);
  void run(const std::stop_token& stop);
  void wait() const;
  void take_cover();
  bool take_links();
  bool take_cgroups();
  bool is_time_to_doubt();
  void tell();
  void wake() const;

  Tell tell_;
  UniqueFd wake_;
  std::uint32_t netns_inum_ = 0;
  std::unique_ptr<LinkMonitor> links_;   // null: not allowed
  std::unique_ptr<CgroupTree> cgroups_;  // null: there is no cgroup2
  std::vector<std::string> lacks_;
  std::chrono::steady_clock::time_point doubted_ = std::chrono::steady_clock::now();
  std::mutex mutex_;
  std::optional<std::vector<CoveredNetns>> cover_;  // what the last cover() wants; guarded by mutex_
  std::jthread thread_;                             // last: it uses all of the above
};

}  // namespace skbtrail
