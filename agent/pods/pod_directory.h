#pragma once
// PodDirectory: keeps an index of this node's pods up to date, from the container runtime, and from whoever finds
// interfaces and cgroups. Owns the threads `pods` (asks the runtime, publishes) and `cri-events` (hears from it).
// Every member function may be called from any thread.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "model/task_place.h"
#include "pods/container_runtime.h"
#include "pods/interface_memory.h"
#include "pods/netns_arrivals.h"
#include "pods/pod_index.h"
#include "pods/runtime_socket.h"
#include "pods/sandbox_table.h"

namespace skbtrail {

struct DirectoryOptions {
  // Called again, after a pause, until it succeeds.
  std::function<Result<std::unique_ptr<ContainerRuntime>>()> find_runtime;
  NetnsOpeners openers;
  std::uint32_t host_netns_inum = 0;
  // Every process of this machine, for pods whose namespace the runtime does not lead to; called by one thread, at most
  // once a second while there is such a pod. An error is not asked again. Null: there is no such list.
  std::function<Result<std::vector<TaskPlace>>()> list_tasks = {};
  // Where namespaces get their names: a new one there means that a pod is on its way. Empty: not watched.
  std::filesystem::path netns_folder = {};
  std::chrono::milliseconds with_events{5'000};     // between two listings, when the runtime tells of changes
  std::chrono::milliseconds without_events{1'000};  // when it does not
  std::chrono::milliseconds eager{100};             // for two seconds after a hint that a pod is on its way
  std::chrono::milliseconds first_pause{250};       // after a failure, doubled each time
  std::chrono::milliseconds last_pause{5'000};
};

// For the node whose files are below search.host_root. EACCES: its namespace cannot be asked for.
Result<DirectoryOptions> directory_options(const RuntimeSearch& search);

// Whether the runtime tells every listener of every event. containerd 1.7 gives each event to one of them: who listens
// takes it from the kubelet.
bool events_are_for_all(const RuntimeVersion& version);

struct DirectoryState {
  std::optional<SteadyTime> fresh_at = {};     // when the runtime last answered in full; nothing: never
  std::optional<SteadyTime> stale_since = {};  // since when it does not; what it said before is still used
  std::string socket = {};                     // empty: no runtime found yet
  RuntimeVersion runtime = {};
  bool has_events = false;      // it told of a change on its own
  std::uint64_t refreshes = 0;  // listings that succeeded
  std::uint64_t failures = 0;   // and that did not, or found no runtime
  std::uint64_t events = 0;     // that the runtime told of
  std::uint64_t hints = 0;      // that a pod is on its way, from the folder of namespaces
  std::string last_error = {};  // one line; empty: none yet
  std::size_t by_tasks = 0;     // pods whose namespace is known by their processes alone
  std::string no_tasks = {};    // why processes cannot be listed; empty: they can, or nobody had to
  SandboxFaults faults = {};
  std::size_t ready = 0;  // sandboxes by state
  std::size_t stopped = 0;
  std::size_t deleted = 0;
};

class PodDirectory final {
public:
  // Runs at once; a runtime that is not there yet is waited for.
  static Result<std::unique_ptr<PodDirectory>> start(DirectoryOptions options);
  // Ends at once, and within 2 s for each socket that hangs while a runtime is still looked for.
  ~PodDirectory();
  PodDirectory(const PodDirectory&) = delete;
  PodDirectory& operator=(const PodDirectory&) = delete;

  // Grows with every snapshot; a reader keeps its snapshot until this differs (PodIndexReader does that).
  std::uint64_t version() const { return version_.load(std::memory_order_acquire); }
  // Never null. Takes a short lock.
  std::shared_ptr<const PodIndex> snapshot() const;
  // What the snapshot was made of. Never null.
  std::shared_ptr<const std::vector<Sandbox>> sandboxes() const;
  // What was set last, and interfaces that are gone for less than 60 s. Copied under the lock.
  std::vector<Interface> interfaces() const;
  std::vector<PodCgroup> cgroups() const;
  DirectoryState state() const;

  // Waits for a version other than `seen`; the version then, `seen` when time ran out.
  std::uint64_t wait_for_change(std::uint64_t seen, std::chrono::milliseconds timeout) const;
  // Waits for the first answer of the runtime in full, or the first failure to get one, which is returned.
  Result<> wait_for_first_answer(std::chrono::milliseconds timeout) const;

  // Each replaces what was set before, and publishes before it returns. Interfaces that are gone stay known for 60 s.
  void set_interfaces(std::vector<Interface> interfaces);
  void set_cgroups(std::vector<PodCgroup> cgroups);
  // A hint that a pod is on its way, for example a packet in a namespace that the index does not know.
  void refresh_soon();

private:
  explicit PodDirectory(DirectoryOptions options);

  void keep_fresh(const std::stop_token& stop);
  void follow(const std::stop_token& stop);
  Result<> refresh_once();
  Result<> connect();
  void note_success();
  void note_failure(const Error& error);
  std::chrono::milliseconds pause() const;
  void wait(std::chrono::milliseconds pause, const std::stop_token& stop);
  void drain_wakers();
  void watch_netns_folder();
  void wake() const;
  void publish_locked();
  void note_names();
  bool read_tasks();
  void note_sandboxes_locked();

  const DirectoryOptions options_;
  UniqueFd waker_;  // eventfd

  // Of the thread `pods` alone.
  UniqueFd inotify_;  // of the netns folder, once there is one
  SandboxTable table_;
  NetnsArrivals names_;
  std::vector<TaskPlace> tasks_;  // as they were last; empty while every pod has its namespace
  std::optional<SteadyTime> tasks_read_ = {};
  bool tasks_refused_ = false;
  std::uint64_t consecutive_failures_ = 0;
  std::chrono::milliseconds gather_{10};  // between a wake-up and the listing

  mutable std::mutex mutex_;  // of what follows, and of publishing
  mutable std::condition_variable published_;
  std::shared_ptr<ContainerRuntime> runtime_;
  DirectoryState state_;
  bool stopping_ = false;
  SteadyTime eager_until_{};
  InterfaceMemory interfaces_;
  std::vector<PodCgroup> cgroups_;
  std::vector<std::uint32_t> awaited_;
  std::shared_ptr<const std::vector<Sandbox>> sandboxes_;
  std::shared_ptr<const PodIndex> snapshot_;
  std::atomic<std::uint64_t> version_{0};

  // Last, so that they end before what they use.
  std::jthread events_thread_;
  std::jthread thread_;
};

// One thread's view: takes a lock only when there is a new snapshot.
class PodIndexReader final {
public:
  // `directory` outlives this.
  explicit PodIndexReader(const PodDirectory& directory) : directory_(&directory) {}

  // Pods that it answers with live until the next call.
  const PodIndex& current() {
    // The version before the snapshot: one published in between is taken again the next time, never missed.
    if (const auto version = directory_->version(); !snapshot_ || version != seen_) {
      seen_ = version;
      snapshot_ = directory_->snapshot();
    }
    return *snapshot_;
  }

private:
  const PodDirectory* directory_;
  std::uint64_t seen_ = 0;
  std::shared_ptr<const PodIndex> snapshot_;
};

}  // namespace skbtrail
