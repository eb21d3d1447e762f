#include "pods/node_pods.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

namespace skbtrail {
namespace {

// How late the thread sees that it is to end, or that the runtime has answered without any pod.
constexpr std::chrono::milliseconds kLook{100};

}  // namespace

NodePods::NodePods(std::unique_ptr<PodDirectory> directory, std::uint32_t host_netns_inum)
    : directory_(std::move(directory)), host_netns_inum_(host_netns_inum) {}

Result<std::unique_ptr<NodePods>> NodePods::start(const Settings& settings) {
  auto options = TRY(directory_options(settings.runtime));
  options.list_tasks = settings.list_tasks;
  const std::uint32_t host = options.host_netns_inum;
  std::unique_ptr<NodePods> pods{new NodePods(TRY(PodDirectory::start(std::move(options))), host)};
  pods->watcher_ = HostWatcher::start({.mountinfo = settings.mountinfo},
                                      [directory = pods->directory_.get()](const HostFacts& facts) {
                                        directory->set_interfaces(facts.interfaces);
                                        directory->set_cgroups(facts.cgroups);
                                      });
  pods->thread_ = std::jthread([self = pods.get()](const std::stop_token& stop) { self->couple(stop); });
  return pods;
}

NodePods::~NodePods() = default;

std::shared_ptr<const PodIndex> NodePods::current() const {
  return answered_.load(std::memory_order_acquire) ? directory_->snapshot() : nullptr;
}

// Empty: the runtime answers, or was not asked long enough to say that it does not.
std::string NodePods::trouble() const {
  const DirectoryState state = directory_->state();
  return state.stale_since ? state.last_error : std::string();
}

std::optional<PodListing> NodePods::listing() const {
  if (!answered_.load(std::memory_order_acquire))
    return std::nullopt;
  DirectoryState state = directory_->state();
  return PodListing{.runtime = std::move(state.runtime),
                    .socket = std::move(state.socket),
                    .sandboxes = directory_->sandboxes(),
                    .interfaces = directory_->interfaces(),
                    .cgroups = directory_->cgroups(),
                    .lacks = lacks(),
                    .faults = std::move(state.faults)};
}

void NodePods::couple(const std::stop_token& stop) {
  ::pthread_setname_np(::pthread_self(), "pod-links");
  std::uint64_t seen = 0;
  while (!stop.stop_requested()) {
    cover_new();
    if (!answered_ && directory_->state().fresh_at)
      answered_.store(true, std::memory_order_release);
    seen = directory_->wait_for_change(seen, kLook);
  }
}

// Only when it is another set than before, since every answer of the watcher is a change of the directory too.
void NodePods::cover_new() {
  const auto sandboxes = directory_->sandboxes();
  std::vector<CoveredNetns> wanted;
  std::vector<std::uint32_t> inums;
  for (const auto& sandbox : *sandboxes) {
    if (!sandbox.netns || sandbox.netns_inum == 0 || sandbox.netns_inum == host_netns_inum_)
      continue;
    wanted.push_back({.inum = sandbox.netns_inum, .file = sandbox.netns});
    inums.push_back(sandbox.netns_inum);
  }
  std::ranges::sort(inums);
  if (inums == covered_)
    return;
  covered_ = std::move(inums);
  watcher_->cover(std::move(wanted));
}

}  // namespace skbtrail
