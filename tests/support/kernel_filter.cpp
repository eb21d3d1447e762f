#include "support/kernel_filter.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "filter/assembler.h"
#include "support/bpf_calls.h"
#include "trace_abi.h"

namespace skbtrail::test {
namespace {

// The one value of the array map: everything that the program touches.
struct Memory {
  std::uint8_t window[TRACE_WINDOW_BYTES];
  std::uint8_t scratch[TRACE_FILTER_SCRATCH];
  std::uint64_t own_address;
  std::uint32_t length;
  std::uint32_t linear;
  std::uint8_t packet[KernelFilter::kPacketBytes];
};

std::int16_t offset_of_field(std::size_t offset) {
  return static_cast<std::int16_t>(offset);
}

// Sets the registers up as the tracer does.
std::vector<bpf_insn> entry() {
  using enum Register;
  Assembler code;
  code.store(BPF_DW, R0, offset_of_field(offsetof(Memory, own_address)), R0);
  code.load(BPF_DW, R5, R0, offset_of_field(offsetof(Memory, own_address)));  // now a number to the verifier
  code.alu(Width::W64, BPF_ADD, R5, static_cast<std::int32_t>(offsetof(Memory, packet)));
  code.load(BPF_W, R3, R0, offset_of_field(offsetof(Memory, length)));
  code.load(BPF_W, R4, R0, offset_of_field(offsetof(Memory, linear)));
  code.alu(Width::W64, BPF_MOV, R1, R0);
  code.alu(Width::W64, BPF_MOV, R2, R0);
  code.alu(Width::W64, BPF_ADD, R2, static_cast<std::int32_t>(offsetof(Memory, scratch)));
  return std::move(code).finish();
}

}  // namespace

Result<> KernelFilter::available() {
  Assembler code;
  code.alu(Width::W64, BPF_MOV, Register::R0, 0);
  auto program = load(std::move(code).finish());
  if (!program)
    return within("raw tracepoint programs cannot be loaded", std::move(program.error()));
  return {};
}

Result<KernelFilter> KernelFilter::load(std::span<const bpf_insn> code) {
  auto memory = TRY(create_memory(sizeof(Memory)));
  auto program = TRY(load_raw_tracepoint(program_on(memory, entry(), code)));
  return KernelFilter{std::move(memory), std::move(program)};
}

Result<std::uint32_t> KernelFilter::run(const FilterInput& input) const {
  Memory memory{};
  std::ranges::fill(memory.scratch, std::uint8_t{0xa5});
  std::ranges::fill(memory.window, std::uint8_t{0xa5});
  const auto packet = input.linear.first(std::min(input.linear.size(), kPacketBytes));
  std::ranges::copy(packet, memory.packet);
  std::ranges::copy(packet.first(std::min(packet.size(), sizeof(memory.window))), memory.window);
  memory.length = input.length;
  memory.linear = static_cast<std::uint32_t>(packet.size());
  TRY(write_memory(memory_, &memory));
  return run_program(program_);
}

}  // namespace skbtrail::test
