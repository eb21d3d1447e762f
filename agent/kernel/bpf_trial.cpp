#include "kernel/bpf_trial.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <span>
#include <string>
#include <string_view>

#include "base/unique_fd.h"

namespace skbtrail {
namespace {

constexpr bpf_insn call(std::int32_t helper) {
  return {.code = BPF_JMP | BPF_CALL, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = helper};
}
constexpr bpf_insn kReturnValueZero = {
    .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .src_reg = 0, .off = 0, .imm = 0};
constexpr bpf_insn kExit = {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0};
constexpr bpf_insn kDoNothing[] = {kReturnValueZero, kExit};

// Start of union bpf_attr for BPF_LINK_CREATE with tracing_multi (7.2), which <linux/bpf.h> of our baseline lacks.
struct TracingMultiLink {
  std::uint32_t prog_fd = 0;
  std::uint32_t target_fd = 0;
  std::uint32_t attach_type = 0;
  std::uint32_t flags = 0;
  std::uint64_t ids = 0;
  std::uint64_t cookies = 0;
  std::uint32_t count = 0;
  std::uint32_t reserved = 0;
};

Result<UniqueFd> load(bpf_prog_type type, std::span<const bpf_insn> instructions, bpf_prog_load_opts options) {
  options.sz = sizeof options;
  UniqueFd program{bpf_prog_load(type, "skbtrail_trial", "GPL", instructions.data(), instructions.size(), &options)};
  if (const int err = errno; !program)
    return fail(err, "load a program");
  return program;
}

Result<> attached(int link) {
  const int err = errno;
  const UniqueFd owned{link};
  if (!owned)
    return fail(err, "attach it");
  return {};
}

}  // namespace

Result<> try_ring_buffer() {
  // The smallest one; pages of arm64 have up to 64 KiB.
  const auto bytes = static_cast<std::uint32_t>(::sysconf(_SC_PAGESIZE));
  const UniqueFd map{bpf_map_create(BPF_MAP_TYPE_RINGBUF, "skbtrail_trial", 0, 0, bytes, nullptr)};
  if (const int err = errno; !map)
    return fail(err, "create a map");
  return {};
}

Result<> try_kprobe_helper(std::int32_t helper) {
  const bpf_insn instructions[] = {call(helper), kReturnValueZero, kExit};
  (void)TRY(load(BPF_PROG_TYPE_KPROBE, instructions, {}));
  return {};
}

Result<> try_kernel_read() {
  // Eight bytes from address zero to the stack.
  const bpf_insn instructions[] = {
      {.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_1, .src_reg = BPF_REG_10, .off = 0, .imm = 0},
      {.code = BPF_ALU64 | BPF_ADD, .dst_reg = BPF_REG_1, .src_reg = 0, .off = 0, .imm = -8},
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .src_reg = 0, .off = 0, .imm = 8},
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3, .src_reg = 0, .off = 0, .imm = 0},
      call(BPF_FUNC_probe_read_kernel),
      kReturnValueZero,
      kExit,
  };
  (void)TRY(load(BPF_PROG_TYPE_KPROBE, instructions, {}));
  return {};
}

Result<> try_kprobe_multi(std::uint64_t address) {
  bpf_prog_load_opts options = {};
  options.expected_attach_type = BPF_TRACE_KPROBE_MULTI;
  const UniqueFd program = TRY(load(BPF_PROG_TYPE_KPROBE, kDoNothing, options));
  const unsigned long addresses[] = {address};
  bpf_link_create_opts link = {};
  link.sz = sizeof link;
  link.kprobe_multi.cnt = 1;
  link.kprobe_multi.addrs = addresses;
  return attached(bpf_link_create(program.get(), 0, BPF_TRACE_KPROBE_MULTI, &link));
}

Result<> try_perf_event() {
  perf_event_attr attr{};
  attr.type = PERF_TYPE_SOFTWARE;
  attr.size = sizeof attr;
  attr.config = PERF_COUNT_SW_DUMMY;
  const UniqueFd event{static_cast<int>(::syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC))};
  if (const int err = errno; !event)
    return fail(err, "open a perf event");
  return {};
}

Result<> try_fentry(std::uint32_t btf_id) {
  bpf_prog_load_opts options = {};
  options.expected_attach_type = BPF_TRACE_FENTRY;
  options.attach_btf_id = btf_id;
  const UniqueFd program = TRY(load(BPF_PROG_TYPE_TRACING, kDoNothing, options));
  return attached(bpf_raw_tracepoint_open(nullptr, program.get()));
}

Result<> try_fentry_multi(std::uint32_t attach_type, std::uint32_t btf_id) {
  bpf_prog_load_opts options = {};
  options.expected_attach_type = static_cast<bpf_attach_type>(attach_type);
  const UniqueFd program = TRY(load(BPF_PROG_TYPE_TRACING, kDoNothing, options));
  TracingMultiLink link;
  link.prog_fd = static_cast<std::uint32_t>(program.get());
  link.attach_type = attach_type;
  link.ids = reinterpret_cast<std::uintptr_t>(&btf_id);
  link.count = 1;
  return attached(static_cast<int>(::syscall(SYS_bpf, BPF_LINK_CREATE, &link, sizeof link)));
}

}  // namespace skbtrail
