#include "support/bpf_calls.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "filter/assembler.h"

namespace skbtrail::test {
namespace {

Result<int> bpf(bpf_cmd command, bpf_attr& attributes) {
  const long result = ::syscall(SYS_bpf, command, &attributes, sizeof(attributes));
  if (const int err = errno; result < 0)
    return fail(err, "bpf(2)");
  return static_cast<int>(result);
}

std::uint64_t address_of(const void* object) {
  return reinterpret_cast<std::uintptr_t>(object);
}

Result<UniqueFd> load_program(std::span<const bpf_insn> program, std::vector<char>* log) {
  bpf_attr attributes{};
  attributes.prog_type = BPF_PROG_TYPE_RAW_TRACEPOINT;
  attributes.insns = address_of(program.data());
  attributes.insn_cnt = static_cast<std::uint32_t>(program.size());
  attributes.license = address_of("GPL");
  if (log) {
    attributes.log_buf = address_of(log->data());
    attributes.log_size = static_cast<std::uint32_t>(log->size());
    attributes.log_level = 1;
  }
  const int fd = TRY(bpf(BPF_PROG_LOAD, attributes));
  return UniqueFd{fd};
}

std::string end_of_log(std::span<const bpf_insn> program) {
  std::vector<char> log(16U << 20);
  (void)load_program(program, &log).operator bool();
  const std::string text{log.data()};
  constexpr std::size_t kShown = 2000;
  return text.size() > kShown ? text.substr(text.size() - kShown) : text;
}

void allow_locked_memory() {
  const rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
  ::setrlimit(RLIMIT_MEMLOCK, &unlimited);  // counted for BPF before Linux 5.11 only
}

void append(std::vector<bpf_insn>& program, std::span<const bpf_insn> more) {
  program.insert(program.end(), more.begin(), more.end());
}

// A missing value leaves behind everything, with r0 = 0.
std::vector<bpf_insn> look_up(const UniqueFd& memory, std::size_t instructions_behind) {
  std::vector<bpf_insn> program(2);
  program[0].code = BPF_LD | BPF_DW | BPF_IMM;
  program[0].dst_reg = BPF_REG_1;
  program[0].src_reg = BPF_PSEUDO_MAP_FD;
  program[0].imm = memory.get();
  using enum Register;
  Assembler code;
  const auto found = code.new_label();
  code.store_zero(BPF_W, R10, -4);
  code.alu(Width::W64, BPF_MOV, R2, R10);
  code.alu(Width::W64, BPF_ADD, R2, -4);
  code.call(BPF_FUNC_map_lookup_elem);
  code.jump_if(Width::W64, BPF_JEQ, R0, 0, found);
  code.bind(found);
  append(program, std::move(code).finish());
  program.back().off = static_cast<__s16>(instructions_behind);
  return program;
}

}  // namespace

Result<UniqueFd> create_memory(std::size_t bytes) {
  allow_locked_memory();
  bpf_attr attributes{};
  attributes.map_type = BPF_MAP_TYPE_ARRAY;
  attributes.key_size = sizeof(std::uint32_t);
  attributes.value_size = static_cast<std::uint32_t>(bytes);
  attributes.max_entries = 1;
  const int fd = TRY(bpf(BPF_MAP_CREATE, attributes));
  return UniqueFd{fd};
}

Result<> write_memory(const UniqueFd& memory, const void* value) {
  const std::uint32_t key = 0;
  bpf_attr update{};
  update.map_fd = static_cast<std::uint32_t>(memory.get());
  update.key = address_of(&key);
  update.value = address_of(value);
  (void)TRY(bpf(BPF_MAP_UPDATE_ELEM, update));
  return {};
}

Result<> read_memory(const UniqueFd& memory, void* value) {
  const std::uint32_t key = 0;
  bpf_attr look{};
  look.map_fd = static_cast<std::uint32_t>(memory.get());
  look.key = address_of(&key);
  look.value = address_of(value);
  (void)TRY(bpf(BPF_MAP_LOOKUP_ELEM, look));
  return {};
}

std::vector<bpf_insn> program_on(const UniqueFd& memory, std::span<const bpf_insn> entry,
                                 std::span<const bpf_insn> body) {
  auto program = look_up(memory, entry.size() + body.size());
  append(program, entry);
  append(program, body);
  bpf_insn leave{};
  leave.code = BPF_JMP | BPF_EXIT;
  program.push_back(leave);
  return program;
}

Result<UniqueFd> load_raw_tracepoint(std::span<const bpf_insn> program) {
  allow_locked_memory();
  auto loaded = load_program(program, nullptr);
  if (!loaded)
    return refuse(loaded.error().code, loaded.error().message + "\n" + end_of_log(program));
  return loaded;
}

Result<std::uint32_t> run_program(const UniqueFd& program) {
  bpf_attr test{};
  test.test.prog_fd = static_cast<std::uint32_t>(program.get());
  (void)TRY(bpf(BPF_PROG_TEST_RUN, test));
  return test.test.retval;
}

}  // namespace skbtrail::test
