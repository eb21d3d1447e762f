#pragma once
// TaskPlace: where one process is.

#include <cstdint>

namespace skbtrail {

struct TaskPlace {
  std::uint32_t pid = 0;  // in the first pid namespace
  std::uint32_t netns_inum = 0;
  std::uint64_t netns_cookie = 0;  // 0: not known; before Linux 5.14 there is none
  std::uint64_t cgroup_id = 0;     // in cgroup2; 0: none
};

}  // namespace skbtrail
