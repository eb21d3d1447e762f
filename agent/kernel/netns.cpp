#include "kernel/netns.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/stat.h>

#include <charconv>
#include <optional>
#include <thread>

#include "base/unique_fd.h"

namespace skbtrail {
namespace {

constexpr std::string_view kInode = "inode:";

std::optional<std::uint32_t> inum_of(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0)
    return std::nullopt;
  return static_cast<std::uint32_t>(info.st_ino);
}

Result<NetnsRef> by_inode(const std::string& text) {
  NetnsRef netns;
  const char* first = text.data() + kInode.size();
  const char* last = text.data() + text.size();
  const auto [end, err] = std::from_chars(first, last, netns.inum);
  if (err != std::errc{} || end != last || netns.inum == 0)
    return refuse(EINVAL, "network namespace '" + text + "': after 'inode:' comes a number, see `ls -Li /run/netns`");
  return netns;
}

// A process or a name of `ip netns` that is in the namespace; only its file can be entered.
std::optional<std::string> path_of_inum(const HostRoot& host, std::uint32_t inum) {
  if (const auto names = host.list("/run/netns"))
    for (const auto& name : *names)
      if (const auto path = host.path("/run/netns/" + name); inum_of(path) == inum)
        return path;
  if (const auto processes = host.list("/proc"))
    for (const auto& process : *processes)
      if (const auto path = host.path("/proc/" + process + "/ns/net"); inum_of(path) == inum)
        return path;
  return std::nullopt;
}

Result<std::uint32_t> ifindex_inside(const std::string& path, const std::string& ifname) {
  const UniqueFd netns{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (const int err = errno; !netns)
    return fail(err, "open network namespace '" + path + "'");
  int err = 0;
  unsigned index = 0;
  // A thread of its own enters, so that this one stays where it is.
  std::thread([&] {
    if (::setns(netns.get(), CLONE_NEWNET))
      err = errno;
    else
      index = ::if_nametoindex(ifname.c_str());
  }).join();
  if (err)
    return fail(err, "enter network namespace '" + path + "' (needs CAP_SYS_ADMIN)");
  return index;
}

}  // namespace

Result<NetnsRef> find_netns(const HostRoot& host, const std::string& text) {
  if (text.starts_with(kInode))
    return by_inode(text);
  const std::string path = text.starts_with('/') ? text : host.path("/run/netns/" + text);
  const auto inum = inum_of(path);
  if (!inum)
    return refuse(ENOENT, "network namespace '" + text + "': no such " +
                              (text.starts_with('/') ? "file" : "name in /run/netns") +
                              "; name one of `ip netns`, a path such as /proc/PID/ns/net, or inode:NUMBER");
  return NetnsRef{.inum = *inum, .path = path};
}

Result<std::uint32_t> find_ifindex(const HostRoot& host, const NetnsRef& netns, const std::string& ifname) {
  std::uint32_t index = 0;
  if (netns.inum == 0) {
    index = ::if_nametoindex(ifname.c_str());
  } else {
    const auto path = netns.path.empty() ? path_of_inum(host, netns.inum) : netns.path;
    if (!path)
      return refuse(ENOENT, "interface '" + ifname + "': nobody is in network namespace inode:" +
                                std::to_string(netns.inum) + ", so its interfaces cannot be listed");
    index = TRY(ifindex_inside(*path, ifname));
  }
  if (index == 0)
    return refuse(ENODEV, "interface '" + ifname + "': there is none of that name in " +
                              (netns.inum == 0 ? std::string("this network namespace")
                                               : "network namespace inode:" + std::to_string(netns.inum)) +
                              ": see `ip link` there, or name another namespace with --filter-netns");
  return index;
}

}  // namespace skbtrail
