#pragma once
// Monitor: the always-on part of the agent. Reads the kernel's tables when asked, and keeps the counters that
// /metrics shows.

#include <prometheus/metric_family.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "kernel/devlink_traps.h"
#include "kernel/host_root.h"
#include "model/pod_drop.h"
#include "monitor/counter_family.h"
#include "monitor/drop_ledger.h"
#include "monitor/drop_source.h"
#include "monitor/gone_since.h"
#include "monitor/link_ledger.h"
#include "monitor/path_latency.h"
#include "monitor/pod_view.h"
#include "monitor/series_names.h"
#include "monitor/trap_ledger.h"

namespace skbtrail {

struct MonitorOptions {
  std::size_t max_series = 20'000;
  std::uint32_t drop_entries = 16'384;  // distinct drops that the kernel's table holds
  std::uint64_t latency_percent = 0;    // of the time in which packets are timed; 0: never
  std::string node = {};                // its name: nodes time packets at different moments
  std::string version = {};
  std::string commit = {};              // empty: not built from a repository
  PodDropListener pod_drops = nullptr;  // hears of what pods lose, by whoever collects; null: nobody does
};

// Gives what is known of pods now, never null; called for each collection, the answer is used until that is done. As
// long as nothing is new it gives the same object.
using PodViews = std::function<std::shared_ptr<const PodView>()>;

class Monitor final {
public:
  using Clock = std::chrono::steady_clock;
  using Page = std::shared_ptr<const MetricPage>;

  // Counters of what no longer exists are folded after this time.
  static constexpr std::chrono::seconds kGrace{300};
  // Those of the deleted pods of a namespace are folded with other namespaces' when it has had no pod here for so long.
  static constexpr std::chrono::seconds kNamespaceGrace{3600};
  // Between two readings of the kernel's tables.
  static constexpr std::chrono::milliseconds kFreshness{1000};
  // The longest time between two collections: whoever owns the monitor collects that often, scraped or not.
  static constexpr std::chrono::seconds kPeriod{10};

  // Counting has begun when it returns, or why_uncounted() says why not: interfaces, queues and pods are told anyway.
  static Result<std::unique_ptr<Monitor>> start(const HostRoot& host, const MonitorOptions& options, PodViews pods);

  // Hands the kernel what it must know of pods. Whoever owns the monitor calls it often, at least once a second: a
  // drop that the node's own namespace makes before is the node's. Any thread.
  Result<> follow_pods();
  // Begins and ends the slices in which packets are timed; called at least ten times a second. Any thread.
  Result<> time_packets(Clock::time_point now);
  // Why this kernel or these privileges do not let us count drops; empty: they are counted.
  const std::string& why_uncounted() const { return why_uncounted_; }
  // Why packets are not timed though they should be; empty: they are, or need not be.
  const std::string& why_untimed() const { return why_untimed_; }
  // Whether drops are counted and this kernel says why it drops (5.17 and newer).
  bool has_reasons() const { return source_ && source_->names().reasons != nullptr; }
  // All metrics as of `now`, or of the last collection if that is younger than kFreshness. Any thread.
  Result<Page> collect(Clock::time_point now);

private:
  Monitor(const HostRoot& host, const MonitorOptions& options, PodViews pods, std::uint32_t netns_inum);

  Result<> start_counting(std::uint32_t netns_inum);
  void start_timing();
  Result<> follow(const std::shared_ptr<const PodView>& pods);
  Result<> read_drops(const PodView& pods);
  Result<> read_node(const PodView& pods);
  void read_traps();
  // Whether all of them could be read.
  bool take_traps(const DevlinkTraps& devlink);
  void forget(const PodView& pods, Clock::time_point now);
  Result<std::vector<prometheus::MetricFamily>> families(const PodView& pods) const;
  Result<> append_drop_tables(std::vector<prometheus::MetricFamily>& families) const;

  std::mutex mutex_;
  HostRoot host_;
  MonitorOptions options_;
  PodViews pods_;
  std::optional<DropSource> source_ = {};
  std::string why_uncounted_ = {};
  SeriesBudget budget_;
  DropLedger drops_;
  LinkLedger links_;
  std::uint64_t link_failures_ = 0;
  std::optional<DevlinkTraps> devlink_ = {};  // nothing: the kernel has none
  TrapLedger traps_;
  std::uint64_t trap_failures_ = 0;
  std::optional<PathLatency> latency_ = {};
  std::string why_untimed_ = {};
  GoneSince<PodLabels> pods_gone_{kGrace};
  GoneSince<std::string> namespaces_gone_{kNamespaceGrace};
  GoneSince<std::string> interfaces_gone_{kGrace};
  GoneSince<std::string> devices_gone_{kGrace};
  std::shared_ptr<const PodView> followed_;
  std::size_t addresses_left_out_ = 0;
  Clock::time_point collected_{};
  Page last_;
};

}  // namespace skbtrail
