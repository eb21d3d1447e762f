#include "pods/netns_arrivals.h"

#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <string_view>
#include <system_error>

namespace skbtrail {
namespace {

// containerd: "cni-" and an id; CRI-O: a UUID. Whoever names one by hand sees it as it is, at once.
bool is_of_runtime(const std::string& name) {
  if (name.starts_with("cni-"))
    return true;
  constexpr std::string_view kUuid = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  return std::ranges::equal(name, kUuid, [](char letter, char form) {
    return form == '-' ? letter == '-' : std::isxdigit(static_cast<unsigned char>(letter)) != 0;
  });
}

// 0: there is nothing but the file that a namespace is going to be mounted on.
std::uint32_t mounted_inum(const std::filesystem::path& name, dev_t folder) {
  struct stat info {};
  if (::stat(name.c_str(), &info) != 0 || info.st_dev == folder)
    return 0;
  return static_cast<std::uint32_t>(info.st_ino);
}

}  // namespace

void NetnsArrivals::look(std::chrono::steady_clock::time_point now) {
  struct stat folder {};
  std::map<std::string, Name> found;
  if (!folder_.empty() && ::stat(folder_.c_str(), &folder) == 0) {
    std::error_code ignored;
    for (std::filesystem::directory_iterator at{folder_, ignored}, end; at != end && found.size() < kMaxNames;
         at.increment(ignored)) {
      const std::string name = at->path().filename();
      const auto known = names_.find(name);
      Name one =
          known == names_.end() ? Name{.since = now, .is_old = !has_looked_ || !is_of_runtime(name)} : known->second;
      one.is_old = one.is_old || now - one.since >= kNew;
      if (!one.is_old && one.inum == 0)
        one.inum = mounted_inum(at->path(), folder.st_dev);
      found.emplace(name, one);
    }
  }
  names_ = std::move(found);
  has_looked_ = true;
}

std::vector<std::uint32_t> NetnsArrivals::fresh() const {
  std::vector<std::uint32_t> inums;
  for (const auto& [name, one] : names_)
    if (!one.is_old && one.inum != 0)
      inums.push_back(one.inum);
  std::ranges::sort(inums);
  return inums;
}

}  // namespace skbtrail
