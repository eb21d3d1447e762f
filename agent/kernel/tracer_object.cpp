#include "kernel/tracer_object.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "kernel/per_cpu.h"
#include "kernel/program_info.h"
#include "kernel/relocation_types.h"
#include "kernel/tracer_programs.h"
#include "trace_abi.h"
#include "tracer.skel.h"
#include "tracer_roomy.skel.h"

namespace skbtrail {
namespace {

static_assert(static_cast<int>(ScopeKind::Netns) == TRACE_PLACE_NETNS);
static_assert(static_cast<int>(ScopeKind::Interface) == TRACE_PLACE_INTERFACE);
static_assert(static_cast<int>(ScopeKind::Cgroup) == TRACE_PLACE_CGROUP);

// Kernel stacks on which followed packets are handled at one time; a third of a kilobyte each.
constexpr std::uint32_t kHandledStacks = 4096;

// A filter has the length of its packet in r3; see agent/filter/packet_filter.h.
bool asks_for_length(std::span<const bpf_insn> filter) {
  return std::ranges::any_of(
      filter, [](const bpf_insn& insn) { return insn.src_reg == BPF_REG_3 || insn.dst_reg == BPF_REG_3; });
}

void write_settings(tracer_bpf& raw, const TracerSettings& settings) {
  auto& rodata = *raw.rodata;
  rodata.has_func_ip = settings.has_func_ip;
  rodata.has_drop_reason = settings.has_drop_reason;
  rodata.kprobe_ip_shift = settings.kprobe_ip_shift;
  rodata.match_pcap = !settings.filter_l2.empty();
  rodata.match_pcap_l3 = !settings.filter_l3.empty();
  rodata.match_tunnel_l2 = !settings.tunnel_l2.empty();
  rodata.match_tunnel_l3 = !settings.tunnel_l3.empty();
  rodata.match_fields = !settings.field_filter.empty();
  rodata.capture_values = !settings.values.empty();
  rodata.match_xdp_fields = !settings.xdp_filter.empty();
  rodata.capture_xdp_values = !settings.xdp_values.empty();
  rodata.track_xdp = settings.programs.contains(ProgramKind::Xdp);
  rodata.track_stack = settings.track_stack;
  rodata.per_cpu_offsets = settings.per_cpu_offsets;
  rodata.match_netns = settings.netns_inum;
  rodata.match_ifindex = settings.ifindex;
  rodata.match_pods = settings.only_pods;
  // Device, socket and whatever an expression names. Who was an XDP program's frame is known by its device.
  rodata.match_needs_front = rodata.match_netns || rodata.match_ifindex || rodata.match_pods || rodata.match_fields ||
                             rodata.match_xdp_fields || rodata.track_xdp;
  rodata.match_others = rodata.match_netns || rodata.match_ifindex || rodata.match_pods || rodata.match_fields ||
                        rodata.match_xdp_fields || settings.mark_mask;
  rodata.match_needs_length = std::ranges::any_of(
      std::array{&settings.filter_l2, &settings.filter_l3, &settings.tunnel_l2, &settings.tunnel_l3},
      [](const auto* filter) { return asks_for_length(*filter); });
  if (rodata.track_xdp || rodata.track_stack)
    raw.bss->followed_count = TRACE_FOLLOWED_ALWAYS;
  rodata.match_mark = settings.mark;
  rodata.match_mark_mask = settings.mark_mask;
  rodata.capture_l3 = settings.capture_tuple;
  rodata.capture_cgroup = settings.capture_cgroup;
  rodata.capture_caller = settings.capture_caller;
  rodata.capture_stack = settings.capture_stack;
  rodata.capture_bytes = settings.snaplen;
  rodata.capture_skb = settings.capture_skb;
  rodata.capture_shared = settings.capture_shared;
  rodata.has_budget = settings.has_budget;
  rodata.follow_packets = settings.follow_packets;
  // A quarter of the ring at most, so that a small ring does not fill before the reader is woken.
  rodata.wakeup_bytes = std::min<std::uint64_t>(settings.ring_bytes / 4, 1U << 20);
}

Result<> size_maps(const tracer_bpf& raw, const TracerSettings& settings, std::size_t functions) {
  const auto entries = static_cast<std::uint32_t>(std::max<std::size_t>(functions, 1));
  if (const int err = bpf_map__set_max_entries(raw.maps.functions, entries))
    return fail(-err, "size map 'functions'");
  if (const int err = bpf_map__set_max_entries(raw.maps.followed, settings.max_packets))
    return fail(-err, "size map 'followed'");
  if (const int err = bpf_map__set_max_entries(raw.maps.trace_records, settings.ring_bytes))
    return fail(-err, "size map 'trace_records'");
  if (settings.programs.contains(ProgramKind::Xdp))
    if (const int err = bpf_map__set_max_entries(raw.maps.frames, settings.max_packets))
      return fail(-err, "size map 'frames'");
  if (settings.track_stack)
    if (const int err = bpf_map__set_max_entries(raw.maps.handled_stacks, kHandledStacks))
      return fail(-err, "size map 'handled_stacks'");
  if (settings.helpers)
    if (const int err = bpf_map__set_max_entries(raw.maps.program_texts, TracerObject::kMaxTexts))
      return fail(-err, "size map 'program_texts'");
  if (settings.only_pods)
    if (const int err = bpf_map__set_max_entries(raw.maps.pod_scope, TracerObject::kMaxScope))
      return fail(-err, "size map 'pod_scope'");
  return {};
}

trace_place key_of(const ScopePlace& place) {
  return {.id = place.id, .ifindex = place.ifindex, .kind = static_cast<__u32>(place.kind)};
}

// Programs are told a function's entry. The call site is that entry or lies this far behind it, past an endbr64 of
// x86-64, or on arm64 past what saves the link register and perhaps a bti. So close to it nothing else begins.
#if defined(__x86_64__)
constexpr std::array<std::uint64_t, 1> kSiteBehindEntry = {4};
#else
constexpr std::array<std::uint64_t, 2> kSiteBehindEntry = {4, 8};
#endif

void add_entries_of_sites(std::unordered_map<std::uint64_t, trace_function>& functions) {
  const std::vector<std::pair<std::uint64_t, trace_function>> sites{functions.begin(), functions.end()};
  for (const auto& [site, function] : sites)
    for (const auto distance : kSiteBehindEntry)
      functions.try_emplace(site - distance, function);
}

// How many descriptions() has at most.
std::size_t count_descriptions(const ProbePlan& plan) {
  std::size_t addresses = 0;
  for (const auto& target : plan.targets)
    addresses += target.addresses.size();
  for (const auto& move : plan.moves)
    addresses += move.addresses.size();
  return plan.at_call_sites ? addresses * (1 + kSiteBehindEntry.size()) : addresses;
}

// One function may be traced and hand identities on.
std::unordered_map<std::uint64_t, trace_function> descriptions(const ProbePlan& plan) {
  std::unordered_map<std::uint64_t, trace_function> functions;
  for (const auto& target : plan.targets)
    for (const std::uint64_t address : target.addresses)
      functions[address] = {
          .argument = target.skb_argument,
          .kind = static_cast<__u8>(target.kind),
          .role = static_cast<__u8>(target.role),
          .silent = target.silent,
          .move = 0,
          .by_program = target.by_program,
          .map_operation = static_cast<__u8>(target.map_operation),
          .reserved = 0,
      };
  for (const auto& move : plan.moves)
    for (const std::uint64_t address : move.addresses) {
      functions[address].argument = move.skb_argument;
      functions[address].move = static_cast<__u8>(move.move);
    }
  if (plan.at_call_sites)
    add_entries_of_sites(functions);
  return functions;
}

std::uint64_t recursion_misses_of(const bpf_program* program) {
  const auto info = info_of(program);
  return info ? info->recursion_misses : 0;
}

// The roomy object has the same programs and maps under the same names, so the same skeleton fits it.
tracer_bpf* open_roomy(const bpf_object_open_opts& opts) {
  auto* raw = static_cast<tracer_bpf*>(std::calloc(1, sizeof(tracer_bpf)));
  if (!raw)
    return nullptr;
  int err = tracer_bpf__create_skeleton(raw);
  if (!err) {
    raw->skeleton->data = const_cast<void*>(tracer_roomy_bpf::elf_bytes(&raw->skeleton->data_sz));
    err = bpf_object__open_skeleton(raw->skeleton, &opts);
  }
  if (!err)
    return raw;
  tracer_bpf::destroy(raw);
  errno = -err;
  return nullptr;
}

tracer_bpf* open(const TracerSettings& settings, const RelocationTypes& types) {
  LIBBPF_OPTS(bpf_object_open_opts, opts);
  // Of programs on trampolines libbpf finds the functions in the running kernel's types all the same.
  opts.btf_custom_path = types.path().c_str();
  return room_for(settings) == PadRoom::Roomy ? open_roomy(opts) : tracer_bpf::open(&opts);
}

}  // namespace

void TracerObject::Destroy::operator()(tracer_bpf* raw) const {
  tracer_bpf::destroy(raw);
}

TracerObject::TracerObject(std::unique_ptr<tracer_bpf, Destroy> raw) : raw_(std::move(raw)) {}
TracerObject::TracerObject(TracerObject&&) noexcept = default;
TracerObject& TracerObject::operator=(TracerObject&&) noexcept = default;
TracerObject::~TracerObject() = default;

Result<TracerObject> TracerObject::load(const TracerSettings& settings, const ProbePlan& plan) {
  auto types = TRY(RelocationTypes::create());
  std::unique_ptr<tracer_bpf, Destroy> raw{open(settings, types)};
  if (const int err = errno; !raw)
    return fail(err, "open the tracer's BPF object");
  TRY(types.fill(*bpf_object__btf(raw->obj), *settings.kernel_types));
  write_settings(*raw, settings);
  TRY(size_maps(*raw, settings, count_descriptions(plan)));
  TRY(prepare_programs(*raw, settings, plan));
  if (const int err = tracer_bpf::load(raw.get()))
    return fail(-err, "load the tracer's BPF programs");
  TracerObject tracer{std::move(raw)};
  tracer.traces_helpers_ = settings.helpers;
  return tracer;
}

bool TracerObject::fits(const ProbePlan& plan) const {
  const auto has_program = [&](const ProbeTarget& target) { return program(target.backend, target.tier) != nullptr; };
  return count_descriptions(plan) <= bpf_map__max_entries(raw_->maps.functions) &&
         std::ranges::all_of(plan.targets, has_program);
}

bpf_program* TracerObject::program(Backend backend, Tier tier) const {
  return program_of(*raw_, backend, tier);
}

bpf_program* TracerObject::drop_program() const {
  return loaded(raw_->progs.drop_skb);
}

bpf_program* TracerObject::session_program() const {
  return loaded(raw_->progs.moves_session);
}

std::vector<bpf_program*> TracerObject::trampolines() const {
  return trampolines_of(*raw_);
}

std::vector<bpf_insn> TracerObject::pattern(ProgramKind kind, bpf_attach_type edge) const {
  return pattern_of(*raw_, kind, edge);
}

int TracerObject::ring_fd() const {
  return bpf_map__fd(raw_->maps.trace_records);
}

int TracerObject::followed_fd() const {
  return bpf_map__fd(raw_->maps.followed);
}

void TracerObject::set_tracing(bool on) {
  std::atomic_ref{raw_->bss->tracing_on}.store(on ? 1 : 0, std::memory_order_relaxed);
}

Result<> TracerObject::describe(const ProbePlan& plan) {
  std::vector<std::uint64_t> addresses;
  std::vector<trace_function> functions;
  for (const auto& [address, function] : descriptions(plan)) {
    addresses.push_back(address);
    functions.push_back(function);
  }
  // In one call (Linux 5.6): there are thousands, and somebody waits for the trace to start.
  auto count = static_cast<__u32>(addresses.size());
  if (bpf_map_update_batch(bpf_map__fd(raw_->maps.functions), addresses.data(), functions.data(), &count, nullptr)) {
    const int err = errno;
    return fail(err, "describe functions to the tracer");
  }
  return {};
}

// What is to go goes first: a full map has no room for both.
Result<> TracerObject::set_scope(const std::set<ScopePlace>& places) {
  if (places.size() > kMaxScope)
    return refuse(E2BIG, "the pods that were asked for are in " + std::to_string(places.size()) + " places, at most " +
                             std::to_string(kMaxScope) + " can be followed: narrow the selector");
  const int fd = bpf_map__fd(raw_->maps.pod_scope);
  for (const auto& place : scope_)
    if (!places.contains(place)) {
      const auto key = key_of(place);
      (void)bpf_map_delete_elem(fd, &key);
    }
  for (const auto& place : places)
    if (!scope_.contains(place)) {
      const auto key = key_of(place);
      const __u8 value = 1;
      if (bpf_map_update_elem(fd, &key, &value, BPF_ANY)) {
        const int err = errno;
        return fail(err, "tell the tracer where a pod is");
      }
    }
  scope_ = places;
  return {};
}

// Programs search the array meanwhile: what they miss is a call of a program that is just being taken in.
Result<> TracerObject::set_program_texts(const std::set<ProgramText>& texts) {
  if (texts.size() > kMaxTexts)
    return refuse(E2BIG, "the BPF programs that are traced have " + std::to_string(texts.size()) + " parts, at most " +
                             std::to_string(kMaxTexts) + " can be watched for calls");
  const int fd = bpf_map__fd(raw_->maps.program_texts);
  __u32 at = 0;
  for (const auto& text : texts) {
    const trace_program_text value{.start = text.start, .end = text.end};
    if (bpf_map_update_elem(fd, &at, &value, BPF_ANY)) {
      const int err = errno;
      return fail(err, "tell the tracer where a BPF program lies");
    }
    ++at;
  }
  std::atomic_ref{raw_->bss->program_text_count}.store(at, std::memory_order_release);
  return {};
}

void TracerObject::refill_budget(std::int64_t hits, std::int64_t cap) {
  const std::atomic_ref<__s64> left{raw_->bss->budget_left};
  // The programs only ever subtract, so this addition cannot overshoot the cap.
  const std::int64_t room = cap - left.load(std::memory_order_relaxed);
  if (const std::int64_t more = std::min(hits, room); more > 0)
    left.fetch_add(more, std::memory_order_relaxed);
}

void TracerObject::take_back_followed(std::uint64_t heads) {
  std::atomic_ref<__u64>{raw_->bss->followed_count}.fetch_sub(heads, std::memory_order_relaxed);
}

std::uint64_t TracerObject::followed_now() const {
  return std::atomic_ref<__u64>{raw_->bss->followed_count}.load(std::memory_order_relaxed) & ~TRACE_FOLLOWED_ALWAYS;
}

Result<TraceTotals> TracerObject::totals() const {
  std::vector<trace_counters> all(TRY(possible_cpus()));
  const __u32 zero = 0;
  if (bpf_map_lookup_elem(bpf_map__fd(raw_->maps.counters), &zero, all.data())) {
    const int err = errno;
    return fail(err, "read map 'counters'");
  }
  TraceTotals totals;
  for (const auto& one : all) {
    totals.hits += one.hits;
    totals.packets += one.packets;
    totals.children += one.children;
    totals.lost_ring += one.lost[TRACE_LOSS_RING];
    totals.lost_tracking += one.lost[TRACE_LOSS_TRACKING];
    totals.lost_budget += one.lost[TRACE_LOSS_BUDGET];
  }
  return totals;
}

std::uint64_t TracerObject::recursion_misses() const {
  std::uint64_t misses = 0;
  const auto& programs = raw_->progs;
  for (auto* program : {programs.entry_kprobe, programs.follow_kprobe, programs.follow_kprobe_values,
                        programs.entry_fentry, programs.follow_fentry, programs.follow_fentry_values})
    if (loaded(program))
      misses += recursion_misses_of(program);
  return misses;
}

}  // namespace skbtrail
