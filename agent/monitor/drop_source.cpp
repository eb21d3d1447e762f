#include "monitor/drop_source.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/clock.h"
#include "kernel/capabilities.h"
#include "kernel/kallsyms.h"
#include "kernel/kernel_btf.h"
#include "kernel/lockdown.h"

namespace skbtrail {
namespace {

// The table is exchanged when it is so full, long before drops find no room.
constexpr std::size_t kFullPart = 2;  // one half

// The kernel only says that it does not permit it.
Error with_cure(Error error, const HostRoot& host) {
  if (error.code != EPERM && error.code != EACCES)
    return error;
  std::string names;
  for (const auto& missing : read_missing_capabilities(host))
    if (missing.name == "CAP_BPF" || missing.name == "CAP_PERFMON" || missing.name == "CAP_SYS_ADMIN")
      names += (names.empty() ? "" : " and ") + missing.name;
  error.message += names.empty() ? ": `skbtrail check` says what this kernel allows" : ": run as root or with " + names;
  return error;
}

Result<MonitorObject> load_and_attach(const MonitorSettings& settings) {
  auto object = TRY(MonitorObject::load(settings));
  TRY(object.attach());
  return object;
}

}  // namespace

Result<DropSource> DropSource::start(const HostRoot& host, const Settings& settings) {
  const auto types = TRY(KernelBtf::load(host, {}));
  const KfreeSkbArguments arguments = kfree_skb_arguments(types.vmlinux());
  // Without addresses no drop would have a place; better to hear of it now than in the first scrape.
  (void)TRY(Kallsyms::read(host));
  TRY(check_lockdown());
  auto object = load_and_attach({.has_drop_reason = arguments.reason,
                                 .has_rx_socket = arguments.rx_socket,
                                 .drop_entries = settings.drop_entries,
                                 .host_netns_inum = settings.host_netns_inum});
  if (!object)
    return with_cure(std::move(object.error()), host);
  return DropSource{host, std::move(*object), DropReasons::read(host, types), arguments.reason};
}

Result<std::vector<DropRow>> DropSource::growth() {
  auto rows = TRY(object_.drops());
  table_rows_ = rows.size();
  const bool is_full = rows.size() >= object_.drop_entries() / kFullPart;
  if (is_full)
    rows = TRY(object_.take_drops());
  auto grown = growth_.since_last(rows);
  if (is_full) {
    growth_.start_anew();
    ++exchanges_;
  }
  TRY(learn(grown));
  return grown;
}

Result<std::map<std::uint32_t, monitor_count>> DropSource::overflow_growth() {
  auto now = TRY(object_.overflow());
  std::map<std::uint32_t, monitor_count> grown;
  for (const auto& [reason, count] : now)
    if (const auto growth = difference(count, last_overflow_[reason]); growth.packets > 0)
      grown.emplace(reason, growth);
  last_overflow_ = std::move(now);
  return grown;
}

Result<std::size_t> DropSource::watch(const std::vector<PodAddress>& addresses) {
  std::vector<WatchedAddress> watched;
  watched.reserve(addresses.size());
  for (const auto& [address, netns_inum] : addresses) {
    auto& one = watched.emplace_back(WatchedAddress{.address = {}, .netns_inum = netns_inum});
    one.address.version = address.version;
    std::copy_n(address.bytes, std::size(address.bytes), one.address.bytes);
  }
  return object_.set_pod_addresses(watched);
}

Result<> DropSource::learn(const std::vector<DropRow>& rows) {
  std::vector<std::uint64_t> addresses;
  addresses.reserve(rows.size());
  for (const auto& row : rows)
    addresses.push_back(row.key.location);
  return locations_.learn(addresses);
}

std::optional<LastPacket> DropSource::last_packet(const monitor_drop_key& key, std::int64_t realtime_offset) const {
  const auto packet = object_.last_packet(key);
  if (!packet)
    return std::nullopt;
  const auto dropped_ns = static_cast<std::int64_t>(packet->dropped_ns) + realtime_offset;
  return LastPacket{.packet = *packet, .seconds = static_cast<double>(dropped_ns) / 1e9};
}

DropNames DropSource::names() const {
  return {.reasons = has_reasons_ ? &reasons_ : nullptr,
          .locations = &locations_,
          .interface = [this](std::uint32_t netns_inum,
                              std::uint32_t ifindex) { return object_.interface_name(netns_inum, ifindex); },
          .last_packet =
              [this, offset = realtime_offset_ns()](const monitor_drop_key& key) { return last_packet(key, offset); }};
}

}  // namespace skbtrail
