#pragma once
// CgroupTree: the cgroups of pods and containers under a mount of cgroup2, kept up to date by inotify.

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "pods/facts.h"

namespace skbtrail {

// Used by one thread.
class CgroupTree final {
public:
  // What is beyond is left out, and counted.
  static constexpr std::size_t kMaxFolders = 32'768;
  static constexpr int kMaxDepth = 16;

  struct Counts {
    std::uint64_t overruns = 0;    // more changed than the kernel kept for us: everything was read again
    std::uint64_t unwatched = 0;   // folders whose changes nobody tells (fs.inotify.max_user_watches)
    std::uint64_t over_bound = 0;  // folders that were left out
  };

  // `root`: where cgroup2 is mounted (cgroup2_mount() knows). Reads the whole tree.
  static Result<std::unique_ptr<CgroupTree>> open(std::string root);

  // Readable when there is something for update().
  int fd() const { return inotify_.get(); }
  // Takes in what came and went. True: cgroups() has changed.
  bool update();
  // Reads all of it anew; for once in a while when there are unwatched folders. True: cgroups() may have changed.
  bool read_again();

  std::vector<PodCgroup> cgroups() const;
  const Counts& counts() const { return counts_; }

private:
  struct Folder {
    int watch = -1;  // -1: none
    std::optional<PodCgroup> cgroup = {};
  };

  CgroupTree(std::string root, UniqueFd inotify);

  void add(std::string path);
  bool add_one(const std::string& path);
  void remove(const std::string& path);
  std::vector<std::string> children_of(const std::string& path) const;
  void take_event(int watch, std::uint32_t what, std::string_view name);

  std::string root_;
  UniqueFd inotify_;
  std::map<std::string, Folder, std::less<>> folders_;  // by path from the root: "", "/kubepods", …
  std::unordered_map<int, std::string> watched_;        // by watch
  bool changed_ = false;
  bool overrun_ = false;
  Counts counts_;
};

}  // namespace skbtrail
