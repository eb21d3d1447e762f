#pragma once
// MonitorObject: the BPF object of the always-on monitor, loaded and attached for as long as it lives.

#include <linux/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "kernel/program_runs.h"
#include "monitor_abi.h"

struct monitor_bpf;

namespace skbtrail {

struct MonitorSettings {
  bool has_drop_reason = false;        // of the kfree_skb tracepoint
  bool has_rx_socket = false;          // the same
  std::uint32_t drop_entries = 16384;  // distinct drops counted at once, per table; there are two
  std::uint32_t host_netns_inum = 0;   // where packets are looked up by their addresses; 0: nowhere
};

// One row of the table of drops, over all CPUs.
struct DropRow {
  monitor_drop_key key{};
  monitor_count count{};
};

// What could not be counted where it belongs, since the object was loaded.
struct MonitorLosses {
  std::uint64_t table_full = 0;     // counted by reason alone
  std::uint64_t overflow_full = 0;  // not counted at all
  std::uint64_t unreadable = 0;     // counted without place, protocol and direction
  std::uint64_t nested = 0;         // not counted: the kernel ran no program for a drop within another (from v6.1)
};

// An address of a pod, as the programs look it up.
struct WatchedAddress {
  monitor_address address{};
  std::uint32_t netns_inum = 0;
};

// Used by one thread at a time.
class MonitorObject final {
public:
  static Result<MonitorObject> load(const MonitorSettings& settings);

  MonitorObject(MonitorObject&&) noexcept;
  MonitorObject& operator=(MonitorObject&&) noexcept;
  ~MonitorObject();

  // Starts counting.
  Result<> attach();

  // The table in use; counts only grow until the next take_drops().
  Result<std::vector<DropRow>> drops() const;
  // Puts an empty table into use and hands over what the old one had in the end: exact, nothing is counted twice or
  // not at all. Waits for running programs, some 10 ms.
  Result<std::vector<DropRow>> take_drops();
  // Drops by raw reason that found no room in the table; only grows.
  Result<std::map<std::uint32_t, monitor_count>> overflow() const;
  Result<MonitorLosses> losses() const;

  // Makes these the addresses of pods, instead of those before; what is in both stays there all the while. At most
  // MONITOR_POD_ADDRESSES, the rest is left out; hands back how many.
  Result<std::size_t> set_pod_addresses(const std::vector<WatchedAddress>& addresses);

  // Empty when the kernel never saw a packet dropped there, or has forgotten it.
  std::string interface_name(std::uint32_t netns_inum, std::uint32_t ifindex) const;
  // Nothing when the kernel has forgotten it: it keeps MONITOR_LAST_PACKETS, the least recently dropped go first.
  std::optional<monitor_last_packet> last_packet(const monitor_drop_key& key) const;
  std::uint32_t drop_entries() const { return settings_.drop_entries; }
  // Zeros unless somebody enabled kernel.bpf_stats_enabled.
  std::vector<ProgramRuns> runs() const;

private:
  struct Destroy {
    void operator()(monitor_bpf* raw) const;
  };
  MonitorObject(std::unique_ptr<monitor_bpf, Destroy> raw, const MonitorSettings& settings);

  int table_in_use() const;
  int table_at_rest() const;

  std::unique_ptr<monitor_bpf, Destroy> raw_;
  MonitorSettings settings_;
  bool second_in_use_ = false;
};

}  // namespace skbtrail
