#include "kernel/latency_object.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "kernel/btf_types.h"
#include "kernel/kallsyms.h"
#include "kernel/kernel_btf.h"
#include "kernel/per_cpu.h"
#include "kernel/program_info.h"
#include "latency.skel.h"

namespace skbtrail {
namespace {

// The first one ends with a jump, so that whoever called it seems to free the packet.
std::vector<latency_code> udp_readers(const Kallsyms& symbols) {
  constexpr std::string_view kReaders[] = {"skb_consume_udp", "udp_recvmsg", "udpv6_recvmsg"};
  static_assert(std::size(kReaders) == LATENCY_UDP_READERS);
  std::vector<latency_code> readers;
  bool is_open = false;
  symbols.for_each([&](std::uint64_t address, std::string_view name, std::string_view) {
    if (std::exchange(is_open, false))
      readers.back().bytes = address - readers.back().begins;
    is_open = readers.size() < std::size(kReaders) && std::ranges::count(kReaders, name) > 0;
    if (is_open)
      readers.push_back({.begins = address, .bytes = 0});
  });
  return readers;
}

// Whether UDP is done with a datagram where it was read. Since v6.18 the CPU that received it is, at some later time;
// what waits for that left `softnet_data` in the same release, where v5.19 had put it.
bool frees_where_read(const btf& types) {
  const BtfTypes catalogue{types};
  const auto softnet = catalogue.find(TypeTag::Struct, "softnet_data");
  return softnet && catalogue.member(*softnet, "defer_list");
}

// A slot for each CPU: as large as the value, which is a whole number of words.
latency_times sum(const std::vector<latency_times>& slots) {
  latency_times total{};
  for (const latency_times& slot : slots) {
    total.sum_ns += slot.sum_ns;
    for (std::size_t bucket = 0; bucket < LATENCY_BUCKETS; ++bucket)
      total.buckets[bucket] += slot.buckets[bucket];
  }
  return total;
}

Result<std::vector<latency_key>> keys_of(int table) {
  std::vector<latency_key> keys;
  latency_key key{};
  const void* before = nullptr;
  while (bpf_map_get_next_key(table, before, &key) == 0) {
    keys.push_back(key);
    before = &key;
  }
  if (const int err = errno; err != ENOENT)
    return fail(err, "read the table of times");
  return keys;
}

}  // namespace

void LatencyObject::Destroy::operator()(latency_bpf* raw) const {
  latency_bpf::destroy(raw);
}

LatencyObject::LatencyObject(std::unique_ptr<latency_bpf, Destroy> raw, bool tells_delivery)
    : raw_(std::move(raw)), tells_delivery_(tells_delivery) {}
LatencyObject::LatencyObject(LatencyObject&&) noexcept = default;
LatencyObject& LatencyObject::operator=(LatencyObject&&) noexcept = default;
LatencyObject::~LatencyObject() = default;

Result<LatencyObject> LatencyObject::load(const HostRoot& host) {
  const BtfPtr types{btf__load_vmlinux_btf()};
  if (!types)
    return refuse(ENOTSUP, "time packets: the kernel publishes no types (needs CONFIG_DEBUG_INFO_BTF)");
  std::unique_ptr<latency_bpf, Destroy> raw{latency_bpf::open()};
  if (const int err = errno; !raw)
    return fail(err, "time packets: open the BPF object");
  const bool tells_delivery = btf__find_by_name_kind(types.get(), "btf_trace_sk_data_ready", BTF_KIND_TYPEDEF) > 0;
  raw->rodata->has_data_ready = tells_delivery;
  bpf_program__set_autoload(raw->progs.latency_deliver, tells_delivery);
  std::vector<latency_code> readers;
  if (tells_delivery && frees_where_read(*types))
    readers = udp_readers(TRY(Kallsyms::read(host)));
  bpf_program__set_autoload(raw->progs.latency_consume, !readers.empty());
  std::ranges::copy(readers, std::begin(raw->rodata->udp_readers));
  if (const int err = latency_bpf::load(raw.get()))
    return fail(-err, "time packets: load the BPF programs");
  return LatencyObject{std::move(raw), tells_delivery};
}

Result<> LatencyObject::attach(TimedWay way, std::uint32_t one_in) {
  const auto& programs = raw_->progs;
  for (auto* program : {programs.latency_queue, programs.latency_xmit})
    bpf_program__set_autoattach(program, way != TimedWay::In);
  // latency_receive is of both: a packet leaves the wire there.
  for (auto* program : {programs.latency_deliver, programs.latency_read, programs.latency_consume})
    bpf_program__set_autoattach(program, way != TimedWay::Out);
  raw_->bss->slice_began_ns = monotonic_ns();
  raw_->bss->sample_mask = one_in - 1;
  if (const int err = latency_bpf::attach(raw_.get())) {
    detach();
    return fail(-err, "time packets: attach to tracepoints");
  }
  return {};
}

void LatencyObject::detach() {
  latency_bpf::detach(raw_.get());
}

bool LatencyObject::is_attached() const {
  return raw_->links.latency_receive != nullptr;
}

Result<std::vector<LatencyRow>> LatencyObject::take() {
  const int table = bpf_map__fd(raw_->maps.latencies);
  std::vector<latency_times> slots(TRY(possible_cpus()));
  std::vector<LatencyRow> rows;
  int error = 0;
  for (const latency_key& key : TRY(keys_of(table))) {
    if (bpf_map_lookup_elem(table, &key, slots.data()) || bpf_map_delete_elem(table, &key))
      error = errno;  // it comes with the next slice
    else
      rows.push_back({key, sum(slots)});
  }
  if (error != 0 && rows.empty())
    return fail(error, "empty the table of times");
  return rows;
}

Result<std::uint64_t> LatencyObject::untold() const {
  const __u32 zero = 0;
  std::vector<__u64> slots(TRY(possible_cpus()));
  if (bpf_map_lookup_elem(bpf_map__fd(raw_->maps.untold), &zero, slots.data())) {
    const int err = errno;
    return fail(err, "read map 'untold'");
  }
  std::uint64_t total = 0;
  for (const __u64 slot : slots)
    total += slot;
  return total;
}

std::vector<ProgramRuns> LatencyObject::runs() const {
  return runs_of({raw_->progs.latency_queue, raw_->progs.latency_xmit, raw_->progs.latency_receive,
                  raw_->progs.latency_deliver, raw_->progs.latency_read, raw_->progs.latency_consume});
}

}  // namespace skbtrail
