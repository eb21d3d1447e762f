#include "pods/pod_directory.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>
#include <system_error>
#include <utility>

#include "pods/netns_file.h"
#include "pods/task_facts.h"

namespace skbtrail {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kEagerFor{2'000};
// Events come in bursts, several for each container; one listing answers for all of them.
// On a large node as long as a listing takes, so that a storm of events costs the runtime half of one CPU at most.
constexpr milliseconds kGather{10};
constexpr milliseconds kMaxGather{500};
// Reading a list of some thousand processes takes milliseconds.
constexpr milliseconds kBetweenTaskLists{1'000};
constexpr milliseconds kFirstEventPause{1'000};
constexpr milliseconds kLastEventPause{30'000};

std::size_t count_if(const std::vector<Sandbox>& sandboxes, bool (*is)(const Sandbox&)) {
  return static_cast<std::size_t>(std::ranges::count_if(sandboxes, is));
}

void name_this_thread(const char* name) {
  ::pthread_setname_np(::pthread_self(), name);
}

}  // namespace

Result<DirectoryOptions> directory_options(const RuntimeSearch& search) {
  const auto root = search.host_root;
  return DirectoryOptions{
      .find_runtime = [search] { return find_container_runtime(search); },
      .openers = {.by_path = [root](const std::string& path) { return open_netns(root, path); },
                  .by_pid = [root](pid_t pid) { return open_netns(root, pid); },
                  .cookie = netns_cookie},
      .host_netns_inum = TRY(host_netns_inum(root)),
      .netns_folder = root / "run/netns",
  };
}

bool events_are_for_all(const RuntimeVersion& version) {
  if (version.name != "containerd")
    return true;
  std::string_view text = version.version;
  if (text.starts_with('v'))
    text.remove_prefix(1);
  unsigned major = 0;
  std::from_chars(text.data(), text.data() + text.size(), major);
  return major >= 2;
}

Result<std::unique_ptr<PodDirectory>> PodDirectory::start(DirectoryOptions options) {
  std::unique_ptr<PodDirectory> directory{new PodDirectory(std::move(options))};
  directory->waker_ = UniqueFd{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  if (const int err = errno; !directory->waker_)
    return fail(err, "start the pod directory");
  try {
    directory->thread_ =
        std::jthread([self = directory.get()](const std::stop_token& stop) { self->keep_fresh(stop); });
    directory->events_thread_ =
        std::jthread([self = directory.get()](const std::stop_token& stop) { self->follow(stop); });
  } catch (const std::system_error& error) {
    return fail(error.code().value(), "start the threads of the pod directory");
  }
  return directory;
}

PodDirectory::PodDirectory(DirectoryOptions options)
    : options_(std::move(options)), table_(options_.openers), names_(options_.netns_folder) {
  sandboxes_ = std::make_shared<const std::vector<Sandbox>>();
  snapshot_ = build_pod_index(options_.host_netns_inum, {}, {}, {});
}

PodDirectory::~PodDirectory() {
  thread_.request_stop();
  events_thread_.request_stop();
  std::shared_ptr<ContainerRuntime> runtime;
  {
    const std::scoped_lock lock{mutex_};
    stopping_ = true;
    runtime = runtime_;
    published_.notify_all();
  }
  if (runtime)
    runtime->cancel();
  if (waker_)
    wake();
}

// A hint only: without it, a pod is found at the next listing. The folder comes with the node's first pod.
void PodDirectory::watch_netns_folder() {
  if (options_.netns_folder.empty() || inotify_)
    return;
  UniqueFd inotify{::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)};
  if (inotify && ::inotify_add_watch(inotify.get(), options_.netns_folder.c_str(), IN_CREATE | IN_DELETE) >= 0)
    inotify_ = std::move(inotify);
}

std::shared_ptr<const PodIndex> PodDirectory::snapshot() const {
  const std::scoped_lock lock{mutex_};
  return snapshot_;
}

std::shared_ptr<const std::vector<Sandbox>> PodDirectory::sandboxes() const {
  const std::scoped_lock lock{mutex_};
  return sandboxes_;
}

std::vector<Interface> PodDirectory::interfaces() const {
  const std::scoped_lock lock{mutex_};
  return interfaces_.all();
}

std::vector<PodCgroup> PodDirectory::cgroups() const {
  const std::scoped_lock lock{mutex_};
  return cgroups_;
}

DirectoryState PodDirectory::state() const {
  const std::scoped_lock lock{mutex_};
  return state_;
}

std::uint64_t PodDirectory::wait_for_change(std::uint64_t seen, milliseconds timeout) const {
  std::unique_lock lock{mutex_};
  published_.wait_for(lock, timeout, [&] { return version() != seen; });
  return version();
}

Result<> PodDirectory::wait_for_first_answer(milliseconds timeout) const {
  std::unique_lock lock{mutex_};
  if (!published_.wait_for(lock, timeout, [&] { return state_.fresh_at || state_.failures > 0; }))
    return refuse(ETIMEDOUT, "the container runtime has not answered yet");
  if (!state_.fresh_at)
    return refuse(ENOTSUP, state_.last_error);
  return {};
}

void PodDirectory::set_interfaces(std::vector<Interface> interfaces) {
  const std::scoped_lock lock{mutex_};
  interfaces_.set(std::move(interfaces), steady_clock::now());
  publish_locked();
}

void PodDirectory::set_cgroups(std::vector<PodCgroup> cgroups) {
  const std::scoped_lock lock{mutex_};
  cgroups_ = std::move(cgroups);
  publish_locked();
}

void PodDirectory::refresh_soon() {
  {
    const std::scoped_lock lock{mutex_};
    const auto now = steady_clock::now();
    // Who is asked for every packet wakes nobody while the next listing is near anyway.
    const bool near = now < eager_until_;
    eager_until_ = now + kEagerFor;
    if (near)
      return;
  }
  wake();
}

void PodDirectory::publish_locked() {
  snapshot_ = build_pod_index(options_.host_netns_inum, *sandboxes_, interfaces_.all(), cgroups_, awaited_);
  version_.fetch_add(1, std::memory_order_release);
  published_.notify_all();
}

void PodDirectory::wake() const {
  const std::uint64_t one = 1;
  // It can only fail when it is full, and then it wakes anyway.
  [[maybe_unused]] const auto written = ::write(waker_.get(), &one, sizeof(one));
}

void PodDirectory::drain_wakers() {
  std::array<char, 4096> ignored{};
  while (::read(waker_.get(), ignored.data(), sizeof(std::uint64_t)) > 0) {
  }
  bool hinted = false;
  while (inotify_ && ::read(inotify_.get(), ignored.data(), ignored.size()) > 0)
    hinted = true;
  if (!hinted)
    return;
  const std::scoped_lock lock{mutex_};
  ++state_.hints;
  eager_until_ = steady_clock::now() + kEagerFor;
}

void PodDirectory::wait(milliseconds pause, const std::stop_token& stop) {
  if (stop.stop_requested())
    return;
  std::array<pollfd, 2> fds{
      {{.fd = waker_.get(), .events = POLLIN, .revents = 0}, {.fd = inotify_.get(), .events = POLLIN, .revents = 0}}};
  if (::poll(fds.data(), fds.size(), static_cast<int>(pause.count())) <= 0)
    return;
  std::this_thread::sleep_for(gather_);
  drain_wakers();
}

milliseconds PodDirectory::pause() const {
  const std::scoped_lock lock{mutex_};
  if (consecutive_failures_ > 0) {
    const auto doublings = std::min<std::uint64_t>(consecutive_failures_ - 1, 10);
    return std::min(options_.first_pause * (1 << doublings), options_.last_pause);
  }
  if (steady_clock::now() < eager_until_)
    return options_.eager;
  return state_.has_events ? options_.with_events : options_.without_events;
}

// The thread `pods` alone writes runtime_, so it reads it without the lock.
Result<> PodDirectory::connect() {
  if (!runtime_) {
    std::shared_ptr<ContainerRuntime> found = TRY(options_.find_runtime());
    const std::scoped_lock lock{mutex_};
    runtime_ = std::move(found);
    state_.socket = runtime_->socket();
    if (stopping_)
      runtime_->cancel();
  } else if (consecutive_failures_ == 0) {
    return {};
  }
  // After a failure it may be another version that answers; the channel connects again by itself.
  auto version = TRY(runtime_->version());
  const std::scoped_lock lock{mutex_};
  state_.runtime = std::move(version);
  return {};
}

Result<> PodDirectory::refresh_once() {
  const auto started = steady_clock::now();
  TRY(connect());
  auto done = table_.refresh(*runtime_, started);
  gather_ = std::clamp(std::chrono::duration_cast<milliseconds>(steady_clock::now() - started), kGather, kMaxGather);
  return done;
}

void PodDirectory::note_success() {
  const std::scoped_lock lock{mutex_};
  consecutive_failures_ = 0;
  ++state_.refreshes;
  state_.fresh_at = steady_clock::now();
  state_.stale_since.reset();
}

void PodDirectory::note_failure(const Error& error) {
  const std::scoped_lock lock{mutex_};
  ++consecutive_failures_;
  ++state_.failures;
  state_.last_error = error.message;
  if (!state_.stale_since)
    state_.stale_since = steady_clock::now();
}

// Before the runtime is asked, which may take long to answer.
void PodDirectory::note_names() {
  names_.look(steady_clock::now());
  auto awaited = names_.fresh();
  const std::scoped_lock lock{mutex_};
  if (awaited == awaited_)
    return;
  awaited_ = std::move(awaited);
  publish_locked();
}

// Whether there is another list of processes than before, or none any more.
bool PodDirectory::read_tasks() {
  if (!options_.list_tasks || tasks_refused_)
    return false;
  if (std::ranges::none_of(table_.sandboxes(), lacks_netns)) {
    const bool had = !tasks_.empty();
    tasks_.clear();
    return had;
  }
  const auto now = steady_clock::now();
  if (tasks_read_ && now - *tasks_read_ < kBetweenTaskLists)
    return false;
  tasks_read_ = now;
  auto listed = options_.list_tasks();
  if (!listed) {
    tasks_refused_ = true;
    const std::scoped_lock lock{mutex_};
    state_.no_tasks = listed.error().message;
    return false;
  }
  tasks_ = std::move(*listed);
  return true;
}

void PodDirectory::note_sandboxes_locked() {
  auto sandboxes = table_.sandboxes();
  state_.by_tasks = complete_from_tasks(sandboxes, tasks_, cgroups_, options_.host_netns_inum);
  state_.deleted = count_if(sandboxes, [](const Sandbox& one) { return one.gone_since.has_value(); });
  state_.ready = count_if(sandboxes, [](const Sandbox& one) { return one.ready && !one.gone_since; });
  state_.stopped = sandboxes.size() - state_.ready - state_.deleted;
  sandboxes_ = std::make_shared<const std::vector<Sandbox>>(std::move(sandboxes));
}

void PodDirectory::keep_fresh(const std::stop_token& stop) {
  name_this_thread("pods");
  while (!stop.stop_requested()) {
    watch_netns_folder();
    note_names();
    if (const auto done = refresh_once())
      note_success();
    else
      note_failure(done.error());
    table_.expire(steady_clock::now());
    const bool has_other_tasks = read_tasks();
    {
      const std::scoped_lock lock{mutex_};
      const bool forgot = interfaces_.expire(steady_clock::now());
      state_.faults = table_.faults();
      // Also what was found out before the runtime stopped answering.
      if (table_.take_changed() || has_other_tasks) {
        note_sandboxes_locked();
        publish_locked();
      } else if (forgot) {
        publish_locked();
      }
      published_.notify_all();
    }
    wait(pause(), stop);
  }
}

void PodDirectory::follow(const std::stop_token& stop) {
  name_this_thread("cri-events");
  auto event_pause = kFirstEventPause;
  while (!stop.stop_requested()) {
    std::shared_ptr<ContainerRuntime> runtime;
    {
      std::unique_lock lock{mutex_};
      published_.wait_for(lock, event_pause, [&] { return stop.stop_requested(); });
      if (runtime_ && state_.fresh_at && !state_.stale_since && events_are_for_all(state_.runtime))
        runtime = runtime_;
    }
    if (!runtime || stop.stop_requested())
      continue;
    const auto ended = runtime->follow_events([&] {
      {
        const std::scoped_lock lock{mutex_};
        state_.has_events = true;
        ++state_.events;
        event_pause = kFirstEventPause;
      }
      wake();
    });
    const std::scoped_lock lock{mutex_};
    state_.has_events = false;
    // A runtime that does not tell of events, or is not asked to, is asked rarely.
    if (event_pause < kLastEventPause)
      event_pause *= 2;
    if (!ended && ended.error().code == ENOTSUP)
      event_pause = kLastEventPause;
  }
}

}  // namespace skbtrail
