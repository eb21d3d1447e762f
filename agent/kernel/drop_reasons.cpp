#include "kernel/drop_reasons.h"

#include <algorithm>
#include <cctype>
#include <string_view>
#include <utility>

#include "kernel/kernel_btf.h"

namespace skbtrail {
namespace {

constexpr std::string_view kCoreEnum = "skb_drop_reason";
constexpr std::string_view kSubsystemEnum = "skb_drop_reason_subsys";
constexpr std::string_view kCorePrefix = "SKB_DROP_REASON_";
constexpr std::string_view kSubsystemPrefix = "SKB_DROP_REASON_SUBSYS_";
constexpr std::uint32_t kSubsystemShift = 16;
constexpr std::size_t kMostSubsystems = 256;

struct Enumerator {
  std::string_view name;
  std::uint64_t value;
};

std::vector<Enumerator> enumerators(const btf& types, const btf_type* type) {
  std::vector<Enumerator> all;
  for (std::size_t i = 0; i < btf_vlen(type); ++i) {
    if (btf_is_enum64(type)) {
      const auto& entry = btf_enum64(type)[i];
      all.push_back({.name = btf_name(types, entry.name_off), .value = btf_enum64_value(&entry)});
    } else {
      const auto& entry = btf_enum(type)[i];
      all.push_back({.name = btf_name(types, entry.name_off), .value = static_cast<std::uint32_t>(entry.val)});
    }
  }
  return all;
}

std::string lower(std::string_view name) {
  std::string result{name};
  std::ranges::transform(result, result.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

// "mac80211" owns "mac80211_unusable" and "mac80211_monitor".
bool owns(std::string_view module, const std::string& subsystem) {
  return subsystem == module || (subsystem.starts_with(module) && subsystem[module.size()] == '_');
}

template <class Visit>
void for_each_own_enum(const btf& types, Visit visit) {
  const btf* base = btf__base_btf(&types);
  for (std::uint32_t id = base ? btf__type_cnt(base) : 1; id < btf__type_cnt(&types); ++id)
    if (const btf_type* type = btf__type_by_id(&types, id); btf_is_any_enum(type))
      visit(btf_name(types, type->name_off), type);
}

}  // namespace

DropReasons DropReasons::read(const HostRoot& host, const KernelBtf& kernel) {
  DropReasons reasons;
  reasons.add(kernel.vmlinux());
  const auto modules = modules_with_btf(host);
  if (!modules || reasons.subsystems_.empty())
    return reasons;
  for (const std::string& module : *modules)
    if (std::ranges::any_of(reasons.subsystems_, [&](const auto& subsystem) { return owns(module, subsystem); }))
      // Without the types of one module its reasons stay numbers; everything else has its name.
      if (const auto types = kernel.load_module(host, module))
        reasons.add(**types);
  return reasons;
}

void DropReasons::add(const btf& types) {
  for_each_own_enum(types, [&](std::string_view name, const btf_type* type) {
    if (name == kCoreEnum)
      add_core(types, type);
    else if (name == kSubsystemEnum)
      add_subsystems(types, type);
  });
  // Every other subsystem has an enum of its own: mac80211_drop_reason, ovs_drop_reason, qdisc_drop_reason, ...
  for_each_own_enum(types, [&](std::string_view name, const btf_type* type) {
    if (name != kCoreEnum && name.ends_with("drop_reason"))
      add_others(types, type);
  });
}

void DropReasons::add_core(const btf& types, const btf_type* type) {
  if (subsystems_.empty())
    subsystems_ = {"core"};
  for (auto [name, value] : enumerators(types, type)) {
    // MAX ends the list; SUBSYS_MASK lives in this enum and is no reason.
    if (value >> kSubsystemShift != 0 || name == "SKB_DROP_REASON_MAX")
      continue;
    if (name.starts_with(kCorePrefix))
      name.remove_prefix(kCorePrefix.size());
    names_.try_emplace(static_cast<std::uint32_t>(value), name);
  }
}

void DropReasons::add_subsystems(const btf& types, const btf_type* type) {
  for (auto [name, value] : enumerators(types, type)) {
    if (value >= kMostSubsystems || !name.starts_with(kSubsystemPrefix) || name.ends_with("_NUM"))
      continue;
    name.remove_prefix(kSubsystemPrefix.size());
    if (subsystems_.size() <= value)
      subsystems_.resize(value + 1);
    subsystems_[value] = lower(name);
  }
}

void DropReasons::add_others(const btf& types, const btf_type* type) {
  for (auto [name, value] : enumerators(types, type)) {
    const std::uint64_t subsystem = value >> kSubsystemShift;
    // The value zero of a subsystem only marks where its reasons start.
    if (subsystem == 0 || subsystem >= subsystems_.size() || (value & 0xffff) == 0)
      continue;
    // mac80211 has each reason twice, once as ___RX_DROP_U_REPLAY.
    name.remove_prefix(std::min(name.find_first_not_of('_'), name.size()));
    names_.try_emplace(static_cast<std::uint32_t>(value), name);
  }
}

DropReasonName DropReasons::lookup(std::uint32_t raw) const {
  const std::uint32_t subsystem = raw >> kSubsystemShift;
  DropReasonName reason{.name = "UNKNOWN_" + std::to_string(raw), .subsystem = "unknown"};
  if (subsystem < subsystems_.size() && !subsystems_[subsystem].empty())
    reason.subsystem = subsystems_[subsystem];
  if (const auto known = names_.find(raw); known != names_.end())
    reason.name = known->second;
  return reason;
}

KfreeSkbArguments kfree_skb_arguments(const btf& vmlinux) {
  const int id = btf__find_by_name_kind(&vmlinux, "btf_trace_kfree_skb", BTF_KIND_TYPEDEF);
  const btf_type* pointer = id < 0 ? nullptr : btf__type_by_id(&vmlinux, btf__type_by_id(&vmlinux, id)->type);
  const btf_type* prototype = pointer && btf_is_ptr(pointer) ? btf__type_by_id(&vmlinux, pointer->type) : nullptr;
  if (!prototype || !btf_is_func_proto(prototype))
    return {};
  // Behind the tracepoint's own pointer: packet, location, reason, receiving socket.
  const auto arguments = btf_vlen(prototype);
  return {.reason = arguments > 3, .rx_socket = arguments > 4};
}

}  // namespace skbtrail
