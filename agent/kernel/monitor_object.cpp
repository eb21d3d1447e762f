#include "kernel/monitor_object.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <set>
#include <utility>

#include "kernel/per_cpu.h"
#include "kernel/program_info.h"
#include "monitor.skel.h"

namespace skbtrail {
namespace {

// Rows read or removed by one system call; more than any bucket of a table will ever hold.
constexpr __u32 kRowsAtOnce = 1024;

const monitor_count& count_of(const monitor_count& count) {
  return count;
}

const monitor_count& count_of(const monitor_drop_value& value) {
  return value.count;
}

template <class Value>
monitor_count sum(const Value* first, std::size_t cpus) {
  monitor_count total{};
  for (std::size_t cpu = 0; cpu < cpus; ++cpu) {
    total.packets += count_of(first[cpu]).packets;
    total.bytes += count_of(first[cpu]).bytes;
  }
  return total;
}

// Calls visit(key, count) for each row of a per-CPU hash of counts.
template <class Key, class Value, class Visit>
Result<> for_each_row(int table, Visit visit) {
  const std::size_t cpus = TRY(possible_cpus());
  std::vector<Key> keys(kRowsAtOnce);
  std::vector<Value> counts(kRowsAtOnce * cpus);
  __u32 position = 0;
  for (bool first = true, last = false; !last; first = false) {
    __u32 rows = kRowsAtOnce;
    if (bpf_map_lookup_batch(table, first ? nullptr : &position, &position, keys.data(), counts.data(), &rows,
                             nullptr)) {
      const int err = errno;
      if (err != ENOENT)
        return fail(err, "read a table of drops");
      last = true;
    }
    for (__u32 row = 0; row < rows; ++row)
      visit(keys[row], sum(&counts[row * cpus], cpus));
  }
  return {};
}

Result<std::vector<DropRow>> rows_of(int table) {
  std::vector<DropRow> rows;
  const auto take = [&](const monitor_drop_key& key, const monitor_count& count) { rows.push_back({key, count}); };
  TRY((for_each_row<monitor_drop_key, monitor_drop_value>(table, take)));
  return rows;
}

Result<> remove(int table, const std::vector<DropRow>& rows) {
  for (const DropRow& row : rows)
    if (bpf_map_delete_elem(table, &row.key) && errno != ENOENT) {
      const int err = errno;
      return fail(err, "empty a table of drops");
    }
  return {};
}

std::string bytes_of(const monitor_address& address) {
  return {reinterpret_cast<const char*>(&address), sizeof(address)};
}

Result<> remove_others(int map, const std::set<std::string>& wanted) {
  std::vector<monitor_address> others;
  monitor_address at{};
  for (int more = bpf_map_get_next_key(map, nullptr, &at); more == 0; more = bpf_map_get_next_key(map, &at, &at))
    if (!wanted.contains(bytes_of(at)))
      others.push_back(at);
  for (const auto& other : others)
    if (bpf_map_delete_elem(map, &other) && errno != ENOENT) {
      const int err = errno;
      return fail(err, "take an address of a pod from the monitor");
    }
  return {};
}

}  // namespace

void MonitorObject::Destroy::operator()(monitor_bpf* raw) const {
  monitor_bpf::destroy(raw);
}

MonitorObject::MonitorObject(std::unique_ptr<monitor_bpf, Destroy> raw, const MonitorSettings& settings)
    : raw_(std::move(raw)), settings_(settings) {}
MonitorObject::MonitorObject(MonitorObject&&) noexcept = default;
MonitorObject& MonitorObject::operator=(MonitorObject&&) noexcept = default;
MonitorObject::~MonitorObject() = default;

Result<MonitorObject> MonitorObject::load(const MonitorSettings& settings) {
  std::unique_ptr<monitor_bpf, Destroy> raw{monitor_bpf::open()};
  if (const int err = errno; !raw)
    return fail(err, "open the monitor's BPF object");
  raw->rodata->has_drop_reason = settings.has_drop_reason;
  raw->rodata->has_rx_socket = settings.has_rx_socket;
  raw->rodata->host_netns_inum = settings.host_netns_inum;
  for (auto* table : {raw->maps.drops_a, raw->maps.drops_b})
    if (const int err = bpf_map__set_max_entries(table, settings.drop_entries))
      return fail(-err, "size the tables of drops");
  if (const int err = monitor_bpf::load(raw.get()))
    return fail(-err, "load the monitor's BPF programs");
  return MonitorObject{std::move(raw), settings};
}

Result<> MonitorObject::attach() {
  raw_->links.monitor_drop = bpf_program__attach(raw_->progs.monitor_drop);
  if (const int err = errno; !raw_->links.monitor_drop)
    return fail(err, "attach the monitor to tracepoint 'kfree_skb'");
  return {};
}

int MonitorObject::table_in_use() const {
  return bpf_map__fd(second_in_use_ ? raw_->maps.drops_b : raw_->maps.drops_a);
}

int MonitorObject::table_at_rest() const {
  return bpf_map__fd(second_in_use_ ? raw_->maps.drops_a : raw_->maps.drops_b);
}

Result<std::vector<DropRow>> MonitorObject::drops() const {
  return rows_of(table_in_use());
}

Result<std::vector<DropRow>> MonitorObject::take_drops() {
  const __u32 zero = 0;
  const int next = table_at_rest();
  if (bpf_map_update_elem(bpf_map__fd(raw_->maps.drop_counts), &zero, &next, BPF_ANY)) {
    const int err = errno;
    return fail(err, "change tables of drops");
  }
  second_in_use_ = !second_in_use_;
  auto rows = TRY(rows_of(table_at_rest()));
  TRY(remove(table_at_rest(), rows));
  return rows;
}

Result<std::map<std::uint32_t, monitor_count>> MonitorObject::overflow() const {
  std::map<std::uint32_t, monitor_count> by_reason;
  const auto take = [&](__u32 reason, const monitor_count& count) { by_reason.emplace(reason, count); };
  TRY((for_each_row<__u32, monitor_count>(bpf_map__fd(raw_->maps.drop_overflow), take)));
  return by_reason;
}

Result<MonitorLosses> MonitorObject::losses() const {
  std::vector<__u64> per_cpu(TRY(possible_cpus()));
  std::array<std::uint64_t, MONITOR_LOSS_CAUSES> totals{};
  for (__u32 cause = 0; cause < MONITOR_LOSS_CAUSES; ++cause) {
    if (bpf_map_lookup_elem(bpf_map__fd(raw_->maps.losses), &cause, per_cpu.data())) {
      const int err = errno;
      return fail(err, "read map 'losses'");
    }
    for (const __u64 count : per_cpu)
      totals[cause] += count;
  }
  return MonitorLosses{
      .table_full = totals[MONITOR_LOSS_TABLE_FULL],
      .overflow_full = totals[MONITOR_LOSS_OVERFLOW_FULL],
      .unreadable = totals[MONITOR_LOSS_UNREADABLE],
      .nested = TRY(info_of(raw_->progs.monitor_drop)).recursion_misses,
  };
}

Result<std::size_t> MonitorObject::set_pod_addresses(const std::vector<WatchedAddress>& addresses) {
  const int map = bpf_map__fd(raw_->maps.pod_addresses);
  std::set<std::string> wanted;
  for (const auto& [address, netns_inum] : addresses)
    wanted.insert(bytes_of(address));
  TRY(remove_others(map, wanted));
  std::size_t left_out = 0;
  for (const auto& [address, netns_inum] : addresses)
    if (bpf_map_update_elem(map, &address, &netns_inum, BPF_ANY)) {
      const int err = errno;
      if (err != E2BIG)
        return fail(err, "tell the monitor of an address of a pod");
      ++left_out;
    }
  return left_out;
}

std::string MonitorObject::interface_name(std::uint32_t netns_inum, std::uint32_t ifindex) const {
  const monitor_interface_key key{.netns_inum = netns_inum, .ifindex = ifindex};
  monitor_interface interface {};
  if (bpf_map_lookup_elem(bpf_map__fd(raw_->maps.interfaces), &key, &interface))
    return {};
  return {interface.name, ::strnlen(interface.name, sizeof(interface.name))};
}

std::optional<monitor_last_packet> MonitorObject::last_packet(const monitor_drop_key& key) const {
  monitor_last_packet packet{};
  if (bpf_map_lookup_elem(bpf_map__fd(raw_->maps.last_packets), &key, &packet))
    return std::nullopt;
  return packet;
}

std::vector<ProgramRuns> MonitorObject::runs() const {
  return runs_of({raw_->progs.monitor_drop});
}

}  // namespace skbtrail
