#pragma once
// DropGrowth: by how much rows of the kernel's table grew since they were last read. Pure; used by one thread at a
// time.

#include <span>
#include <unordered_map>
#include <vector>

#include "kernel/monitor_object.h"

namespace skbtrail {

class DropGrowth final {
public:
  // Only rows that grew, with what they grew by.
  std::vector<DropRow> since_last(std::span<const DropRow> rows);
  // The next rows are those of an empty table.
  void start_anew() { last_.clear(); }

private:
  struct Hash {
    std::size_t operator()(const monitor_drop_key& key) const noexcept;
  };
  struct Equal {
    bool operator()(const monitor_drop_key& left, const monitor_drop_key& right) const noexcept;
  };

  std::unordered_map<monitor_drop_key, monitor_count, Hash, Equal> last_;
};

monitor_count difference(const monitor_count& now, const monitor_count& before);

}  // namespace skbtrail
