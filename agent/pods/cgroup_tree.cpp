#include "pods/cgroup_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "pods/cgroup_path.h"

namespace skbtrail {
namespace {

constexpr std::uint32_t kChanges = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR;

// What bpf_get_current_cgroup_id() returns; 0: the folder is gone.
std::uint64_t cgroup_id_of(const std::string& folder) {
  struct {
    file_handle head;
    std::uint64_t id;
  } handle{};
  static_assert(offsetof(decltype(handle), id) == sizeof(file_handle), "the id follows its header");
  handle.head.handle_bytes = sizeof(handle.id);
  int mount = 0;
  if (::name_to_handle_at(AT_FDCWD, folder.c_str(), &handle.head, &mount, 0) == 0)
    return handle.id;
  // Where that call is forbidden: on 64-bit kernels the inode number is the same.
  struct stat info {};
  return ::stat(folder.c_str(), &info) == 0 ? info.st_ino : 0;
}

std::ptrdiff_t depth_of(std::string_view path) {
  return std::ranges::count(path, '/');
}

}  // namespace

CgroupTree::CgroupTree(std::string root, UniqueFd inotify) : root_(std::move(root)), inotify_(std::move(inotify)) {}

Result<std::unique_ptr<CgroupTree>> CgroupTree::open(std::string root) {
  struct stat info {};
  if (::stat(root.c_str(), &info)) {
    const int err = errno;
    return fail(err, "read the cgroups in '" + root + "'");
  }
  UniqueFd inotify{::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)};
  if (const int err = errno; !inotify)
    return fail(err, "watch the cgroups in '" + root + "' (fs.inotify.max_user_instances)");
  auto tree = std::unique_ptr<CgroupTree>(new CgroupTree(std::move(root), std::move(inotify)));
  tree->add("");
  return tree;
}

bool CgroupTree::update() {
  alignas(inotify_event) std::array<char, 64 << 10> buffer;
  for (;;) {
    const ssize_t got = ::read(inotify_.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      break;
    for (ssize_t at = 0; at < got;) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
      take_event(event->wd, event->mask, event->len > 0 ? event->name : "");
      at += static_cast<ssize_t>(sizeof(*event) + event->len);
    }
  }
  if (std::exchange(overrun_, false)) {
    ++counts_.overruns;
    return read_again();
  }
  return std::exchange(changed_, false);
}

void CgroupTree::take_event(int watch, std::uint32_t what, std::string_view name) {
  if (what & IN_Q_OVERFLOW)
    overrun_ = true;
  const auto parent = watched_.find(watch);
  // Files in a cgroup are the kernel's own. A watch that is gone was answered by the removal of its folder.
  if (parent == watched_.end() || !(what & IN_ISDIR) || name.empty())
    return;
  std::string path = parent->second + '/' + std::string(name);
  if (what & (IN_DELETE | IN_MOVED_FROM))
    remove(path);
  else if (what & (IN_CREATE | IN_MOVED_TO))
    add(std::move(path));
}

bool CgroupTree::read_again() {
  for (const auto& [watch, path] : watched_)
    (void)::inotify_rm_watch(inotify_.get(), watch);
  watched_.clear();
  folders_.clear();
  counts_.unwatched = 0;
  counts_.over_bound = 0;
  add("");
  changed_ = false;
  return true;
}

// A folder and all below it.
void CgroupTree::add(std::string path) {
  std::vector<std::string> left = {std::move(path)};
  while (!left.empty()) {
    const std::string next = std::move(left.back());
    left.pop_back();
    if (!add_one(next))
      continue;
    for (auto& child : children_of(next))
      left.push_back(std::move(child));
  }
}

// False: nothing below it is to be added.
bool CgroupTree::add_one(const std::string& path) {
  if (folders_.contains(path))
    return false;
  if (folders_.size() >= kMaxFolders || depth_of(path) > kMaxDepth) {
    ++counts_.over_bound;
    return false;
  }
  const std::string folder = root_ + path;
  // Before its children are listed, so that one that comes in between is told.
  const int watch = ::inotify_add_watch(inotify_.get(), folder.c_str(), kChanges);
  if (watch < 0 && (errno == ENOENT || errno == ENOTDIR))
    return false;
  if (watch < 0)
    ++counts_.unwatched;
  else
    watched_[watch] = path;
  auto& added = folders_[path];
  added.watch = watch;
  const auto owner = parse_cgroup_path(path);
  const std::uint64_t id = owner ? cgroup_id_of(folder) : 0;
  if (id != 0) {
    added.cgroup = {.cgroup_id = id, .pod_uid = owner->pod_uid, .container_id = owner->container_id};
    changed_ = true;
  }
  return true;
}

void CgroupTree::remove(const std::string& path) {
  // Behind a path come the paths below it, but for those whose name only begins alike.
  const std::string below = path + '/';
  const auto is_below = [&](const std::string& other) { return other == path || other.starts_with(below); };
  for (auto at = folders_.lower_bound(path); at != folders_.end() && at->first.starts_with(path);) {
    if (!is_below(at->first)) {
      ++at;
      continue;
    }
    changed_ = changed_ || at->second.cgroup;
    if (at->second.watch >= 0) {
      watched_.erase(at->second.watch);
      // The kernel has done so already, unless the folder was moved away.
      (void)::inotify_rm_watch(inotify_.get(), at->second.watch);
    }
    at = folders_.erase(at);
  }
}

std::vector<std::string> CgroupTree::children_of(const std::string& path) const {
  std::vector<std::string> children;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory{::opendir((root_ + path).c_str()), ::closedir};
  if (!directory)
    return children;
  while (const dirent* entry = ::readdir(directory.get())) {
    const std::string_view name = entry->d_name;
    if (entry->d_type == DT_DIR && name != "." && name != ".." && children.size() <= kMaxFolders)
      children.push_back(path + '/' + std::string(name));
  }
  return children;
}

std::vector<PodCgroup> CgroupTree::cgroups() const {
  std::vector<PodCgroup> all;
  for (const auto& [path, folder] : folders_)
    if (folder.cgroup)
      all.push_back(*folder.cgroup);
  return all;
}

}  // namespace skbtrail
