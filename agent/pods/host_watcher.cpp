#include "pods/host_watcher.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <utility>

#include "pods/cgroup_path.h"

namespace skbtrail {
namespace {

std::uint32_t own_netns_inum() {
  struct stat info {};
  return ::stat("/proc/thread-self/ns/net", &info) == 0 ? static_cast<std::uint32_t>(info.st_ino) : 0;
}

}  // namespace

HostWatcher::HostWatcher(Tell tell, UniqueFd wake)
    : tell_(std::move(tell)), wake_(std::move(wake)), netns_inum_(own_netns_inum()) {}

std::unique_ptr<HostWatcher> HostWatcher::start(const Settings& settings, Tell tell) {
  std::unique_ptr<HostWatcher> watcher{
      new HostWatcher(std::move(tell), UniqueFd{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)})};
  // Here, since the sockets belong to the namespace of the thread that opens them.
  watcher->open_links();
  watcher->open_cgroups(settings.mountinfo);
  watcher->thread_ = std::jthread([self = watcher.get()](const std::stop_token& stop) { self->run(stop); });
  return watcher;
}

HostWatcher::~HostWatcher() {
  thread_.request_stop();
  wake();
}

void HostWatcher::open_links() {
  auto opened = LinkMonitor::open();
  if (opened)
    links_ = std::move(*opened);
  else
    lacks_.push_back("interfaces: " + opened.error().message);
}

void HostWatcher::open_cgroups(const std::string& mountinfo) {
  const auto mount = cgroup2_mount(mountinfo);
  if (!mount) {
    lacks_.emplace_back("cgroups: cgroup2 is not mounted");
    return;
  }
  auto opened = CgroupTree::open(*mount);
  if (opened)
    cgroups_ = std::move(*opened);
  else
    lacks_.push_back("cgroups: " + opened.error().message);
}

void HostWatcher::cover(std::vector<CoveredNetns> namespaces) {
  {
    const std::lock_guard lock{mutex_};
    cover_ = std::move(namespaces);
  }
  wake();
}

void HostWatcher::wake() const {
  const std::uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof(one));
}

void HostWatcher::run(const std::stop_token& stop) {
  tell();
  while (!stop.stop_requested()) {
    wait();
    if (is_time_to_doubt()) {
      if (links_)
        links_->doubt_all();
      if (cgroups_ && cgroups_->counts().unwatched > 0)
        (void)cgroups_->read_again();
    }
    take_cover();
    // Both, whichever comes first.
    const bool linked = take_links();
    const bool grouped = take_cgroups();
    if (linked || grouped)
      tell();
    ::poll(nullptr, 0, static_cast<int>(kPause.count()));
  }
}

void HostWatcher::wait() const {
  std::array<pollfd, 3> files{};
  nfds_t count = 0;
  files[count++] = {.fd = wake_.get(), .events = POLLIN, .revents = 0};
  if (links_)
    files[count++] = {.fd = links_->fd(), .events = POLLIN, .revents = 0};
  if (cgroups_)
    files[count++] = {.fd = cgroups_->fd(), .events = POLLIN, .revents = 0};
  (void)::poll(files.data(), count, static_cast<int>(std::chrono::milliseconds(kReadAgain).count()));
  std::uint64_t wakes = 0;
  (void)!::read(wake_.get(), &wakes, sizeof(wakes));
}

bool HostWatcher::is_time_to_doubt() {
  const bool in_the_dark = (links_ && !links_->hears_all()) || (cgroups_ && cgroups_->counts().unwatched > 0);
  const auto now = std::chrono::steady_clock::now();
  if (!in_the_dark || now - doubted_ < kReadAgain)
    return false;
  doubted_ = now;
  return true;
}

void HostWatcher::take_cover() {
  std::optional<std::vector<CoveredNetns>> wanted;
  {
    const std::lock_guard lock{mutex_};
    wanted = std::exchange(cover_, std::nullopt);
  }
  if (!wanted || !links_)
    return;
  std::vector<NetnsFd> files;
  for (const auto& one : *wanted)
    if (one.file && one.inum != 0)
      files.push_back({.inum = one.inum, .fd = one.file->get()});
  // A refusal is counted there, and the rest is covered; the next update() tries again what is stale.
  (void)links_->cover(files);
}

bool HostWatcher::take_links() {
  if (!links_)
    return false;
  const auto updated = links_->update();
  return !updated || *updated;
}

bool HostWatcher::take_cgroups() {
  return cgroups_ && cgroups_->update();
}

void HostWatcher::tell() {
  HostFacts facts{.netns_inum = netns_inum_};
  if (links_)
    facts.interfaces = links_->interfaces();
  if (cgroups_)
    facts.cgroups = cgroups_->cgroups();
  tell_(facts);
}

}  // namespace skbtrail
