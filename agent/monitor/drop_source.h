#pragma once
// DropSource: the kernel's count of drops, running, with the names that belong to it.

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "base/result.h"
#include "kernel/drop_locations.h"
#include "kernel/drop_reasons.h"
#include "kernel/host_root.h"
#include "kernel/monitor_object.h"
#include "monitor/drop_growth.h"
#include "monitor/drop_names.h"

namespace skbtrail {

// Used by one thread at a time.
class DropSource final {
public:
  struct Settings {
    std::uint32_t drop_entries = 16'384;  // distinct drops that the kernel's table has room for
    std::uint32_t host_netns_inum = 0;    // where packets are looked up by their addresses; 0: nowhere
  };
  // Counting has begun when it returns.
  static Result<DropSource> start(const HostRoot& host, const Settings& settings);

  // What was dropped since the last call. Exchanges the kernel's table when it is half full.
  Result<std::vector<DropRow>> growth();
  // Likewise, by raw reason: what the table had no room for.
  Result<std::map<std::uint32_t, monitor_count>> overflow_growth();
  // By which the node's own namespace tells packets of pods apart. Hands back how many found no room.
  Result<std::size_t> watch(const std::vector<PodAddress>& addresses);
  // For the rows of the last growth(); without a finder of pods. Valid as long as this object.
  DropNames names() const;

  const MonitorObject& object() const { return object_; }
  std::size_t table_rows() const { return table_rows_; }
  std::uint64_t exchanges() const { return exchanges_; }

private:
  DropSource(const HostRoot& host, MonitorObject object, DropReasons reasons, bool has_reasons)
      : object_(std::move(object)), reasons_(std::move(reasons)), locations_(host), has_reasons_(has_reasons) {}

  // `realtime_offset`: what the wall clock is ahead of the monotonic one, in ns.
  std::optional<LastPacket> last_packet(const monitor_drop_key& key, std::int64_t realtime_offset) const;
  Result<> learn(const std::vector<DropRow>& rows);

  MonitorObject object_;
  DropReasons reasons_;
  DropLocations locations_;
  bool has_reasons_;
  DropGrowth growth_;
  std::map<std::uint32_t, monitor_count> last_overflow_;
  std::size_t table_rows_ = 0;
  std::uint64_t exchanges_ = 0;
};

}  // namespace skbtrail
