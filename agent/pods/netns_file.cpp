#include "pods/netns_file.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <optional>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

namespace skbtrail {
namespace {

#ifndef SO_NETNS_COOKIE
constexpr int SO_NETNS_COOKIE = 71;  // NOLINT(readability-identifier-naming): the kernel's name, Linux 5.14
#endif

// With O_PATH nothing happens to what is opened, whatever it is: no device wakes and no fifo waits.
UniqueFd find_in_root(const std::filesystem::path& host_root, const std::string& path) {
  const UniqueFd root{::open(host_root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
  if (!root)
    return {};
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT;
  return UniqueFd{static_cast<int>(::syscall(SYS_openat2, root.get(), path.c_str(), &how, sizeof(how)))};
}

// /proc/PID/ns/net, also with task/TID, and nothing else of /proc: its other links lead into what containers wrote.
// RESOLVE_IN_ROOT refuses all of the kernel's magic links.
bool is_of_process(std::string_view path) {
  constexpr std::string_view kProc = "/proc/";
  constexpr std::string_view kNamespace = "/ns/net";
  if (!path.starts_with(kProc) || !path.ends_with(kNamespace) || path.size() < kProc.size() + kNamespace.size())
    return false;
  path.remove_prefix(kProc.size());
  path.remove_suffix(kNamespace.size());
  const auto task = path.find("/task/");
  const auto is_number = [](std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
  };
  return is_number(path.substr(0, task)) &&
         (task == std::string_view::npos || is_number(path.substr(task + std::string_view("/task/").size())));
}

UniqueFd find_of_process(const std::filesystem::path& host_root, std::string_view path) {
  const auto below = (host_root / path.substr(1)).string();
  return UniqueFd{::open(below.c_str(), O_PATH | O_CLOEXEC)};
}

Result<NetnsFile> opened(const UniqueFd& place, int error, const std::string& path) {
  const std::string doing = "open network namespace '" + path + "'";
  if (!place)
    return fail(error, doing);
  struct statfs system {};
  if (::fstatfs(place.get(), &system) != 0 || system.f_type != NSFS_MAGIC)
    return refuse(EINVAL, doing + ": it is no namespace");
  const auto link = "/proc/self/fd/" + std::to_string(place.get());
  auto file = std::make_shared<const UniqueFd>(::open(link.c_str(), O_RDONLY | O_CLOEXEC));
  if (const int err = errno; !*file)
    return fail(err, doing);
  struct stat info {};
  if (::ioctl(file->get(), NS_GET_NSTYPE) != CLONE_NEWNET || ::fstat(file->get(), &info) != 0)
    return refuse(EINVAL, doing + ": it is a namespace of another kind");
  return NetnsFile{.fd = std::move(file), .inum = static_cast<std::uint32_t>(info.st_ino)};
}

std::uint64_t cookie_inside(int netns) {
  if (::setns(netns, CLONE_NEWNET) != 0)
    return 0;
  const UniqueFd probe{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  std::uint64_t cookie = 0;
  socklen_t size = sizeof(cookie);
  if (!probe || ::getsockopt(probe.get(), SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) != 0)
    return 0;
  return cookie;
}

}  // namespace

Result<NetnsFile> open_netns(const std::filesystem::path& host_root, const std::string& path) {
  if (!path.starts_with('/'))
    return refuse(EINVAL, "open network namespace '" + path + "': the path is not absolute");
  const UniqueFd place = is_of_process(path) ? find_of_process(host_root, path) : find_in_root(host_root, path);
  return opened(place, errno, path);
}

Result<NetnsFile> open_netns(const std::filesystem::path& host_root, pid_t pid) {
  return open_netns(host_root, "/proc/" + std::to_string(pid) + "/ns/net");
}

Result<std::uint32_t> host_netns_inum(const std::filesystem::path& host_root) {
  auto netns = open_netns(host_root, pid_t{1});
  if (!netns && netns.error().code == EACCES && host_root == "/")
    netns = open_netns(host_root, ::getpid());
  if (!netns)
    return refuse(netns.error().code, "the host's network namespace: " + netns.error().message +
                                          "; needs CAP_SYS_PTRACE, and the host's /proc");
  return netns->inum;
}

std::uint64_t netns_cookie(const NetnsFile& netns) {
  if (!netns.fd)
    return 0;
  std::uint64_t cookie = 0;
  try {
    std::thread([&] { cookie = cookie_inside(netns.fd->get()); }).join();
  } catch (const std::system_error&) {
    return 0;  // no thread to be had: the inode number has to do
  }
  return cookie;
}

}  // namespace skbtrail
