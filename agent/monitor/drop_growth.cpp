#include "monitor/drop_growth.h"

#include <cstring>
#include <string_view>

namespace skbtrail {

std::size_t DropGrowth::Hash::operator()(const monitor_drop_key& key) const noexcept {
  // The key has no holes: monitor_abi.h asserts it.
  return std::hash<std::string_view>{}({reinterpret_cast<const char*>(&key), sizeof(key)});
}

bool DropGrowth::Equal::operator()(const monitor_drop_key& left, const monitor_drop_key& right) const noexcept {
  return std::memcmp(&left, &right, sizeof(left)) == 0;
}

std::vector<DropRow> DropGrowth::since_last(std::span<const DropRow> rows) {
  std::vector<DropRow> grown;
  for (const DropRow& row : rows) {
    monitor_count& last = last_[row.key];
    const monitor_count growth = difference(row.count, last);
    last = row.count;
    if (growth.packets > 0 || growth.bytes > 0)
      grown.push_back({row.key, growth});
  }
  return grown;
}

monitor_count difference(const monitor_count& now, const monitor_count& before) {
  return {.packets = now.packets - before.packets, .bytes = now.bytes - before.bytes};
}

}  // namespace skbtrail
