#include "monitor/monitor.h"

#include <sys/stat.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/clock.h"
#include "kernel/link_statistics.h"
#include "monitor/process_metrics.h"
#include "monitor/softnet.h"

namespace skbtrail {

using prometheus::MetricFamily;
using prometheus::MetricType;

namespace {

Result<std::uint32_t> own_netns(const HostRoot& host) {
  struct stat info {};
  const std::string path = host.path("/proc/self/ns/net");
  if (::stat(path.c_str(), &info)) {
    const int err = errno;
    return fail(err, "look at network namespace '" + path + "'");
  }
  return static_cast<std::uint32_t>(info.st_ino);
}

MetricFamily counter_of(std::string name, std::string help, double value) {
  return {std::move(name), std::move(help), MetricType::Counter, {counter_metric({}, value)}};
}

MetricFamily gauge_of(std::string name, std::string help, double value) {
  return {std::move(name), std::move(help), MetricType::Gauge, {gauge_metric({}, value)}};
}

// What another start may cure ends the agent, which is then started again; what the kernel or the privileges forbid
// stays forbidden.
bool may_pass(const Error& error) {
  switch (error.code) {
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case EAGAIN:
    case EINTR: return true;
    default: return false;
  }
}

void append_softnet(std::vector<MetricFamily>& families, const HostRoot& host) {
  const auto text = host.read("/proc/net/softnet_stat");
  const auto counts = text ? parse_softnet(*text) : Result<SoftnetCounts>{text.error()};
  if (!counts)
    return;
  families.push_back(counter_of("skbtrail_softnet_dropped_total",
                                "Packets that the receive queues of the node's CPUs had no room for, since boot.",
                                static_cast<double>(counts->dropped)));
  families.push_back(counter_of("skbtrail_softnet_squeezed_total",
                                "Rounds of receiving that ended with packets left over, since boot: late, not lost.",
                                static_cast<double>(counts->squeezed)));
  families.push_back(
      counter_of("skbtrail_softnet_flow_limited_total",
                 "Packets dropped because their flow took too much of a CPU's receive queue, since boot.",
                 static_cast<double>(counts->flow_limit)));
}

MetricFamily losses_family(const MonitorLosses& losses) {
  MetricFamily family{"skbtrail_monitor_losses_total",
                      "Drops that were not counted where they belong: table_full went to an overflow series, "
                      "unreadable has no pod, overflow_full and nested were not counted at all.",
                      MetricType::Counter,
                      {}};
  const auto add = [&](const char* cause, std::uint64_t count) {
    family.metric.push_back(counter_metric({{"cause", cause}}, static_cast<double>(count)));
  };
  add("table_full", losses.table_full);
  add("overflow_full", losses.overflow_full);
  add("unreadable", losses.unreadable);
  add("nested", losses.nested);
  return family;
}

MetricFamily lookups_family(const LookupCounts& lookups) {
  MetricFamily family{
      "skbtrail_pod_lookups_total",
      "Searches for the pod of a drop: hit is a pod, host is the node itself, miss is a network namespace that no pod "
      "is known for.",
      MetricType::Counter,
      {}};
  const auto add = [&](const char* result, std::uint64_t count) {
    family.metric.push_back(counter_metric({{"result", result}}, static_cast<double>(count)));
  };
  add("hit", lookups.hit);
  add("miss", lookups.miss);
  add("host", lookups.host);
  return family;
}

void append_runs(std::vector<MetricFamily>& families, const std::vector<ProgramRuns>& programs) {
  MetricFamily runs{"skbtrail_bpf_runs_total",
                    "Runs of each BPF program; zero unless kernel.bpf_stats_enabled is set.",
                    MetricType::Counter,
                    {}};
  MetricFamily seconds{"skbtrail_bpf_run_seconds_total",
                       "Time that each BPF program ran; zero unless kernel.bpf_stats_enabled is set.",
                       MetricType::Counter,
                       {}};
  for (const auto& program : programs) {
    runs.metric.push_back(counter_metric({{"program", program.name}}, static_cast<double>(program.runs)));
    seconds.metric.push_back(
        counter_metric({{"program", program.name}}, static_cast<double>(program.nanoseconds) / 1e9));
  }
  families.push_back(std::move(seconds));
  families.push_back(std::move(runs));
}

bool has_pod_of(const SeriesNames& named, const std::string& namespace_name) {
  const auto first = named.pods.lower_bound({namespace_name, ""});
  return first != named.pods.end() && first->first == namespace_name;
}

}  // namespace

Monitor::Monitor(const HostRoot& host, const MonitorOptions& options, PodViews pods, std::uint32_t netns_inum)
    : host_(host),
      options_(options),
      pods_(std::move(pods)),
      budget_{.limit = options_.max_series, .used = 0},
      drops_(budget_, options_.pod_drops),
      links_(netns_inum, budget_),
      traps_(budget_) {
  if (auto devlink = DevlinkTraps::open())
    devlink_.emplace(*devlink);
}

Result<std::unique_ptr<Monitor>> Monitor::start(const HostRoot& host, const MonitorOptions& options, PodViews pods) {
  const std::uint32_t netns_inum = TRY(own_netns(host));
  std::unique_ptr<Monitor> monitor{new Monitor(host, options, std::move(pods), netns_inum)};
  TRY(monitor->start_counting(netns_inum));
  monitor->start_timing();
  return monitor;
}

Result<> Monitor::start_counting(std::uint32_t netns_inum) {
  auto source = DropSource::start(host_, {.drop_entries = options_.drop_entries, .host_netns_inum = netns_inum});
  if (source)
    source_.emplace(std::move(*source));
  else if (may_pass(source.error()))
    return std::move(source.error());
  else
    why_uncounted_ = source.error().message;
  return {};
}

// A kernel that does not let us time packets still counts drops.
void Monitor::start_timing() {
  if (options_.latency_percent == 0)
    return;
  auto latency = PathLatency::start(host_, options_.latency_percent, options_.node, budget_);
  if (latency)
    latency_.emplace(std::move(*latency));
  else
    why_untimed_ = latency.error().message;
}

Result<> Monitor::time_packets(Clock::time_point now) {
  const std::lock_guard lock{mutex_};
  return latency_ ? latency_->turn(now, *pods_()) : Result<>{};
}

Result<> Monitor::follow_pods() {
  const std::lock_guard lock{mutex_};
  return follow(pods_());
}

Result<> Monitor::follow(const std::shared_ptr<const PodView>& pods) {
  if (pods == followed_)
    return {};
  if (source_)
    addresses_left_out_ = TRY(source_->watch(pods->addresses()));
  followed_ = pods;
  return {};
}

Result<Monitor::Page> Monitor::collect(Clock::time_point now) {
  const std::lock_guard lock{mutex_};
  if (last_ && now - collected_ < kFreshness)
    return last_;
  const std::uint64_t started = monotonic_ns();
  const double asked = static_cast<double>(realtime_ns()) / 1e9;
  const auto pods = pods_();
  TRY(follow(pods));
  TRY(read_drops(*pods));
  TRY(read_node(*pods));
  forget(*pods, now);
  auto page = TRY(families(*pods));
  page.push_back(
      gauge_of("skbtrail_collect_timestamp_seconds", "When the kernel was last asked, since the epoch.", asked));
  page.push_back(gauge_of("skbtrail_collect_duration_seconds", "How long that took.",
                          static_cast<double>(monotonic_ns() - started) / 1e9));
  last_ = std::make_shared<const MetricPage>(MetricPage{.families = std::move(page), .exemplars = drops_.exemplars()});
  collected_ = now;
  return last_;
}

Result<> Monitor::read_drops(const PodView& pods) {
  if (!source_)
    return {};
  const auto growth = TRY(source_->growth());
  DropNames names = source_->names();
  names.pod = [&pods](const PacketPlace& place) { return pods.find(place); };
  drops_.take(growth, names);
  drops_.take_overflow(TRY(source_->overflow_growth()), names);
  return {};
}

Result<> Monitor::read_node(const PodView& pods) {
  auto links = read_link_statistics();
  if (links)
    links_.take(*links, pods);
  else if (links.error().code == EINTR)
    ++link_failures_;  // pods come and go all the time; the next reading has what this one missed
  else
    return std::move(links.error());
  read_traps();
  return {};
}

// A device that comes or goes meanwhile breaks the reading off, and so does a driver that fails, of which the kernel
// says nothing. The next one has what this one missed, and everything else need not wait for it.
void Monitor::read_traps() {
  if (devlink_ && !take_traps(*devlink_))
    ++trap_failures_;
}

bool Monitor::take_traps(const DevlinkTraps& devlink) {
  const auto traps = devlink.read();
  if (!traps)
    return false;
  if (!traps_.misses(*traps))
    return traps_.take(*traps, {}) == 0;
  const auto present = devlink.devices();
  return present && traps_.take(*traps, *present) == 0;
}

void Monitor::forget(const PodView& pods, Clock::time_point now) {
  SeriesNames named;
  drops_.name(named);
  links_.name(named);
  if (latency_)
    latency_->ledger().name(named);
  const SeriesNames gone{
      .pods = pods_gone_.missing(
          named.pods, [&](const PodLabels& pod) { return pods.exists(pod.first, pod.second); }, now),
      .namespaces = namespaces_gone_.missing(
          named.namespaces, [&](const std::string& space) { return has_pod_of(named, space); }, now),
      .interfaces = interfaces_gone_.missing(
          named.interfaces, [&](const std::string& interface) { return !links_.has_lost(interface); }, now),
  };
  drops_.forget(gone);
  links_.forget(gone, named);
  traps_.forget(devices_gone_.missing(
      traps_.named(), [&](const std::string& device) { return traps_.has(device); }, now));
  if (latency_)
    latency_->ledger().forget(gone);
}

Result<std::vector<MetricFamily>> Monitor::families(const PodView& pods) const {
  std::vector<MetricFamily> all;
  MetricFamily capped{"skbtrail_series_capped_total",
                      "Increases that went to an overflow series because there are as many series as allowed.",
                      MetricType::Counter,
                      {}};
  for (const auto& families : {drops_.families(), links_.families(), {&traps_.family()}})
    for (const CounterFamily* family : families) {
      all.push_back(family->metrics());
      capped.metric.push_back(counter_metric({{"metric", family->name()}}, static_cast<double>(family->capped())));
    }
  if (latency_)
    capped.metric.push_back(counter_metric({{"metric", latency_->ledger().family().name()}},
                                           static_cast<double>(latency_->ledger().family().capped())));
  append_softnet(all, host_);
  all.push_back(counter_of("skbtrail_interface_read_failures_total",
                           "Readings of interfaces that were broken off, since interfaces came and went meanwhile; the "
                           "next one has what was missed.",
                           static_cast<double>(link_failures_)));
  if (devlink_)
    all.push_back(counter_of("skbtrail_device_trap_read_failures_total",
                             "Readings of devlink traps that failed; the next one has what was missed.",
                             static_cast<double>(trap_failures_)));
  all.push_back(std::move(capped));
  all.push_back(gauge_of("skbtrail_series", "Series of this page that count towards the limit.",
                         static_cast<double>(budget_.used)));
  all.push_back(gauge_of("skbtrail_series_limit", "Series that are allowed.", static_cast<double>(budget_.limit)));
  all.push_back(gauge_of("skbtrail_monitor_up",
                         "Whether drops are counted; 0 where the kernel or the privileges do not let the agent.",
                         source_ ? 1 : 0));
  TRY(append_drop_tables(all));
  all.push_back(gauge_of("skbtrail_pods", "Pods of this node that are known.", static_cast<double>(pods.count())));
  all.push_back(gauge_of("skbtrail_container_runtime_up",
                         "Whether the container runtime, which tells of pods, answers; 0 also where there is none.",
                         pods.is_fresh() ? 1 : 0));
  all.push_back(gauge_of("skbtrail_pod_addresses_left_out",
                         "Addresses of pods that the kernel's table had no room for: forwarded packets with them are "
                         "the node's.",
                         static_cast<double>(addresses_left_out_)));
  all.push_back(lookups_family(drops_.lookups()));
  auto programs = source_ ? source_->object().runs() : std::vector<ProgramRuns>{};
  if (latency_) {
    for (auto& family : TRY(latency_->families()))
      all.push_back(std::move(family));
    std::ranges::move(latency_->runs(), std::back_inserter(programs));
  }
  append_runs(all, programs);
  all.push_back({"skbtrail_build_info",
                 "What this agent was built from.",
                 MetricType::Gauge,
                 {gauge_metric({{"version", options_.version}, {"commit", options_.commit}}, 1)}});
  for (auto& family : process_metrics(host_))
    all.push_back(std::move(family));
  std::erase_if(all, [](const MetricFamily& family) { return family.metric.empty(); });
  return all;
}

Result<> Monitor::append_drop_tables(std::vector<MetricFamily>& families) const {
  if (!source_)
    return {};
  families.push_back(gauge_of("skbtrail_drop_table_rows", "Distinct drops in the kernel's table.",
                              static_cast<double>(source_->table_rows())));
  families.push_back(gauge_of("skbtrail_drop_table_limit", "Distinct drops that the kernel's table has room for.",
                              static_cast<double>(source_->object().drop_entries())));
  families.push_back(counter_of("skbtrail_drop_table_changes_total",
                                "Times that a filling table was exchanged for an empty one.",
                                static_cast<double>(source_->exchanges())));
  families.push_back(losses_family(TRY(source_->object().losses())));
  return {};
}

}  // namespace skbtrail
