#include "support/kernel_expression.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "filter/assembler.h"
#include "support/bpf_calls.h"
#include "trace_abi.h"

namespace skbtrail::test {

// The one value of the array map: everything that the program touches.
struct KernelExpression::Memory {
  std::uint8_t scratch[TRACE_EXPRESSION_SCRATCH];
  trace_values values;
  std::uint64_t own_address;
  std::uint8_t copy[TRACE_SKB_COPY_BYTES];
  std::byte object[kObjectBytes];
};

Result<KernelExpression> KernelExpression::load(std::span<const bpf_insn> code) {
  using enum Register;
  Assembler entry;
  const auto own_address = static_cast<std::int16_t>(offsetof(Memory, own_address));
  entry.store(BPF_DW, R0, own_address, R0);
  entry.load(BPF_DW, R1, R0, own_address);  // now a number to the verifier
  entry.alu(Width::W64, BPF_ADD, R1, static_cast<std::int32_t>(offsetof(Memory, object)));
  entry.alu(Width::W64, BPF_MOV, R2, R0);
  entry.alu(Width::W64, BPF_MOV, R3, R0);
  entry.alu(Width::W64, BPF_ADD, R3, static_cast<std::int32_t>(offsetof(Memory, copy)));
  auto memory = TRY(create_memory(sizeof(Memory)));
  auto program = TRY(load_raw_tracepoint(program_on(memory, std::move(entry).finish(), code)));
  return KernelExpression{std::move(memory), std::move(program)};
}

// The first run tells where the object is, the second one counts.
Result<std::uint32_t> KernelExpression::run(const Fill& fill, Memory& after) const {
  Memory memory{};
  (void)TRY(run_program(program_));
  TRY(read_memory(memory_, &memory));
  const std::uint64_t address = memory.own_address + offsetof(Memory, object);
  std::ranges::fill(memory.scratch, std::uint8_t{0xa5});
  std::ranges::fill(memory.object, std::byte{0});
  memory.values = {.valid = ~0ULL, .value = {}};
  fill(memory.object, address);
  std::ranges::copy(std::as_bytes(std::span(memory.object)).first(sizeof(memory.copy)),
                    reinterpret_cast<std::byte*>(memory.copy));
  TRY(write_memory(memory_, &memory));
  const auto verdict = TRY(run_program(program_));
  TRY(read_memory(memory_, &after));
  return verdict;
}

Result<std::uint32_t> KernelExpression::run_filter(const Fill& fill) const {
  Memory after{};
  return run(fill, after);
}

Result<std::optional<std::uint64_t>> KernelExpression::run_value(const Fill& fill) const {
  Memory after{};
  (void)TRY(run(fill, after));
  if (!(after.values.valid & 1))
    return std::optional<std::uint64_t>{};
  return std::optional<std::uint64_t>{after.values.value[0]};
}

}  // namespace skbtrail::test
