#pragma once
// NodePods: all that is known of this node's pods, from the container runtime and from the host itself, in one place.
// Owns a PodDirectory, a HostWatcher, and the thread `pod-links` that tells the one what the other has to watch.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "pods/host_watcher.h"
#include "pods/pod_directory.h"
#include "pods/pod_source.h"

namespace skbtrail {

class NodePods final : public PodSource {
public:
  struct Settings {
    RuntimeSearch runtime = {};
    std::string mountinfo = {};                                       // text of /proc/self/mountinfo
    std::function<Result<std::vector<TaskPlace>>()> list_tasks = {};  // of DirectoryOptions
  };

  // Does not wait for the runtime: current() is null until that has answered. In the host's network namespace.
  static Result<std::unique_ptr<NodePods>> start(const Settings& settings);
  ~NodePods() override;

  std::shared_ptr<const PodIndex> current() const override;
  std::uint32_t host_netns_inum() const override { return host_netns_inum_; }
  void hurry() override { directory_->refresh_soon(); }
  std::string trouble() const override;
  SandboxFaults faults() const override { return directory_->state().faults; }
  std::optional<PodListing> listing() const override;

  // What the host does not tell, each with its reason; constant.
  const std::vector<std::string>& lacks() const { return watcher_->lacks(); }

private:
  NodePods(std::unique_ptr<PodDirectory> directory, std::uint32_t host_netns_inum);
  void couple(const std::stop_token& stop);
  void cover_new();

  std::unique_ptr<PodDirectory> directory_;
  std::uint32_t host_netns_inum_;
  std::atomic<bool> answered_ = false;
  std::vector<std::uint32_t> covered_;    // of the thread alone; sorted
  std::unique_ptr<HostWatcher> watcher_;  // goes before the directory, which it tells
  std::jthread thread_;                   // last: it uses all of the above
};

}  // namespace skbtrail
