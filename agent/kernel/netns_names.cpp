#include "kernel/netns_names.h"

#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <optional>
#include <utility>

namespace skbtrail {
namespace {

constexpr std::string_view kFolder = "/run/netns";

// `ip netns add` creates an ordinary file first, and then mounts the namespace on it.
std::optional<std::uint32_t> mounted_inum_of(const std::string& path) {
  struct statfs where {};
  struct stat info {};
  if (::statfs(path.c_str(), &where) != 0 || where.f_type != NSFS_MAGIC || ::stat(path.c_str(), &info) != 0)
    return std::nullopt;
  return static_cast<std::uint32_t>(info.st_ino);
}

}  // namespace

std::string_view NetnsNames::name_of(std::uint32_t inum, std::uint64_t now_ns) {
  const std::uint64_t age_ns = now_ns - read_ns_;
  auto found = names_.find(inum);
  if (!was_read_ || age_ns >= (found == names_.end() ? kNoneFor : kNameFor)) {
    read();
    was_read_ = true;
    read_ns_ = now_ns;
    found = names_.find(inum);
  }
  return found == names_.end() ? std::string_view() : found->second;
}

void NetnsNames::read() {
  names_.clear();
  const auto names = host_.list(kFolder);
  if (!names)
    return;
  for (const auto& name : *names) {
    if (names_.size() >= kMaxNames)
      return;
    if (const auto inum = mounted_inum_of(host_.path(std::string(kFolder) + "/" + name)))
      names_.try_emplace(*inum, name);
  }
}

}  // namespace skbtrail
