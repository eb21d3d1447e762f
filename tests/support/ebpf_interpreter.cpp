#include "support/ebpf_interpreter.h"

#include <linux/types.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <optional>
#include <string>

#include "trace_abi.h"

namespace skbtrail::test {
namespace {

// Where the machine's memory lies in its own address space.
constexpr std::uint64_t kWindowAddress = 0xffff'8880'0000'1000;
constexpr std::uint64_t kScratchAddress = 0xffff'8880'0000'2000;
constexpr std::uint64_t kPacketAddress = 0xffff'8881'4000'0001;
constexpr std::uint8_t kRecycled = 0xa5;  // what earlier users left in window and scratch

constexpr std::uint16_t kArgumentRegisters = 0b111110;  // r1 to r5

enum class Access { Read, Write };

class Machine {
public:
  Machine(std::span<const bpf_insn> code, const FilterInput& input);
  Result<std::uint64_t> run();

private:
  Result<> step();
  Result<> alu(const bpf_insn& instruction, bool wide);
  Result<> jump(const bpf_insn& instruction, bool wide);
  Result<> load(const bpf_insn& instruction);
  Result<> store(const bpf_insn& instruction);
  Result<> call(const bpf_insn& instruction);

  Result<std::uint64_t> read(unsigned reg) const;
  Result<std::uint64_t> right_side(const bpf_insn& instruction) const;
  void write(unsigned reg, std::uint64_t value);
  Result<std::uint64_t> address(unsigned base, std::int16_t offset) const;
  Result<std::uint8_t*> memory(std::uint64_t at, std::size_t size, Access access);
  Error fault(const std::string& what) const;

  std::span<const bpf_insn> code_;
  FilterInput input_;
  std::array<std::uint8_t, TRACE_WINDOW_BYTES> window_;
  std::array<std::uint8_t, TRACE_FILTER_SCRATCH> scratch_;
  std::array<std::uint64_t, 11> registers_{};
  std::uint16_t written_ = 0;
  std::size_t at_ = 0;
};

std::size_t bytes_of(const bpf_insn& instruction) {
  switch (BPF_SIZE(instruction.code)) {
    case BPF_B: return 1;
    case BPF_H: return 2;
    case BPF_W: return 4;
    default: return 8;
  }
}

template <class Number>
std::optional<Number> calculated(int operation, Number left, Number right) {
  switch (operation) {
    case BPF_ADD: return left + right;
    case BPF_SUB: return left - right;
    case BPF_MUL: return left * right;
    case BPF_DIV: return right == 0 ? 0 : left / right;
    case BPF_MOD: return right == 0 ? left : left % right;
    case BPF_OR: return left | right;
    case BPF_AND: return left & right;
    case BPF_XOR: return left ^ right;
    case BPF_LSH: return left << (right & (sizeof(Number) * 8 - 1));
    case BPF_RSH: return left >> (right & (sizeof(Number) * 8 - 1));
    case BPF_NEG: return Number{0} - left;
    case BPF_MOV: return right;
    default: return std::nullopt;
  }
}

// Narrow arithmetic clears the upper half of its result.
std::optional<std::uint64_t> calculated_narrow(int operation, std::uint64_t left, std::uint64_t right) {
  return calculated(operation, static_cast<std::uint32_t>(left), static_cast<std::uint32_t>(right));
}

std::optional<bool> compared(int condition, std::uint64_t left, std::uint64_t right) {
  switch (condition) {
    case BPF_JEQ: return left == right;
    case BPF_JNE: return left != right;
    case BPF_JGT: return left > right;
    case BPF_JGE: return left >= right;
    case BPF_JLT: return left < right;
    case BPF_JLE: return left <= right;
    case BPF_JSET: return (left & right) != 0;
    default: return std::nullopt;
  }
}

std::optional<std::uint64_t> from_big_endian(std::uint64_t value, int bits) {
  static_assert(std::endian::native == std::endian::little);
  switch (bits) {
    case 16: return __builtin_bswap16(static_cast<std::uint16_t>(value));
    case 32: return __builtin_bswap32(static_cast<std::uint32_t>(value));
    default: return std::nullopt;
  }
}

Machine::Machine(std::span<const bpf_insn> code, const FilterInput& input) : code_(code), input_(input) {
  window_.fill(kRecycled);
  scratch_.fill(kRecycled);
  std::ranges::copy(input.linear.first(std::min(input.linear.size(), window_.size())), window_.begin());
  write(1, kWindowAddress);
  write(2, kScratchAddress);
  write(3, input.length);
  write(4, input.linear.size());
  write(5, kPacketAddress);
}

Error Machine::fault(const std::string& what) const {
  return refuse(EFAULT, "eBPF instruction " + std::to_string(at_) + ": " + what);
}

Result<std::uint64_t> Machine::read(unsigned reg) const {
  if (reg > 9 || !(written_ >> reg & 1))
    return fault("reads r" + std::to_string(reg) + ", which was not written");
  return registers_[reg];
}

Result<std::uint64_t> Machine::right_side(const bpf_insn& instruction) const {
  if (BPF_SRC(instruction.code) == BPF_X)
    return read(instruction.src_reg);
  return static_cast<std::uint64_t>(static_cast<std::int64_t>(instruction.imm));
}

void Machine::write(unsigned reg, std::uint64_t value) {
  registers_[reg] = value;
  written_ |= static_cast<std::uint16_t>(1U << reg);
}

Result<std::uint8_t*> Machine::memory(std::uint64_t at, std::size_t size, Access access) {
  const auto within_area = [&](std::uint64_t start, std::size_t length) {
    return at >= start && at - start <= length - size;
  };
  if (access == Access::Read && within_area(kWindowAddress, window_.size()))
    return window_.data() + (at - kWindowAddress);
  if (within_area(kScratchAddress, scratch_.size()) && at % size == 0)
    return scratch_.data() + (at - kScratchAddress);
  return fault("no memory for this access");
}

Result<> Machine::alu(const bpf_insn& instruction, bool wide) {
  const unsigned target = instruction.dst_reg;
  const int operation = BPF_OP(instruction.code);
  if (operation == BPF_END) {
    const std::uint64_t value = TRY(read(target));
    const auto swapped = from_big_endian(value, instruction.imm);
    if (wide || !swapped)
      return fault("unknown byte swap");
    write(target, *swapped);
    return {};
  }
  std::uint64_t left = 0;
  if (operation != BPF_MOV)
    left = TRY(read(target));
  const std::uint64_t right = TRY(right_side(instruction));
  if ((operation == BPF_LSH || operation == BPF_RSH) && BPF_SRC(instruction.code) == BPF_K && right > 31)
    return fault("shift distance out of range");
  const auto result = wide ? calculated(operation, left, right) : calculated_narrow(operation, left, right);
  if (!result)
    return fault("unknown arithmetic");
  write(target, *result);
  return {};
}

Result<> Machine::jump(const bpf_insn& instruction, bool wide) {
  if (instruction.code == (BPF_JMP | BPF_CALL))
    return call(instruction);
  bool taken = instruction.code == (BPF_JMP | BPF_JA);
  if (!taken) {
    const std::uint64_t mask = wide ? ~0ULL : 0xffff'ffffULL;
    const std::uint64_t left = TRY(read(instruction.dst_reg));
    const std::uint64_t right = TRY(right_side(instruction));
    const auto result = compared(BPF_OP(instruction.code), left & mask, right & mask);
    if (!result)
      return fault("unknown condition");
    taken = *result;
  }
  if (instruction.off < 0)
    return fault("jumps backwards");
  if (taken)
    at_ += static_cast<std::size_t>(instruction.off);
  return {};
}

// Base register plus offset.
Result<std::uint64_t> Machine::address(unsigned base, std::int16_t offset) const {
  const std::uint64_t start = TRY(read(base));
  return start + static_cast<std::uint64_t>(std::int64_t{offset});
}

Result<> Machine::load(const bpf_insn& instruction) {
  if (BPF_MODE(instruction.code) != BPF_MEM)
    return fault("unknown load");
  const std::size_t size = bytes_of(instruction);
  const std::uint64_t from = TRY(address(instruction.src_reg, instruction.off));
  const std::uint8_t* bytes = TRY(memory(from, size, Access::Read));
  std::uint64_t value = 0;
  std::memcpy(&value, bytes, size);
  write(instruction.dst_reg, value);
  return {};
}

Result<> Machine::store(const bpf_insn& instruction) {
  if (BPF_MODE(instruction.code) != BPF_MEM)
    return fault("unknown store");
  const std::size_t size = bytes_of(instruction);
  const std::uint64_t to = TRY(address(instruction.dst_reg, instruction.off));
  std::uint64_t value = static_cast<std::uint64_t>(std::int64_t{instruction.imm});
  if (BPF_CLASS(instruction.code) == BPF_STX)
    value = TRY(read(instruction.src_reg));
  std::uint8_t* bytes = TRY(memory(to, size, Access::Write));
  std::memcpy(bytes, &value, size);
  return {};
}

// bpf_probe_read_kernel(target, size, source): a failed read clears the target and answers -EFAULT.
Result<> Machine::call(const bpf_insn& instruction) {
  if (instruction.imm != BPF_FUNC_probe_read_kernel)
    return fault("unknown helper");
  const std::uint64_t to = TRY(read(1));
  const std::uint64_t size = TRY(read(2));
  const std::uint64_t from = TRY(read(3));
  if (size == 0 || size > 4)
    return fault("helper reads " + std::to_string(size) + " bytes");
  std::uint8_t* target = TRY(memory(to, size, Access::Write));
  written_ &= static_cast<std::uint16_t>(~kArgumentRegisters);
  const std::uint64_t offset = from - kPacketAddress;
  const bool found = offset < input_.linear.size() && size <= input_.linear.size() - offset;
  if (input_.helper == Helper::Fails || !found) {
    std::memset(target, 0, size);
    write(0, static_cast<std::uint64_t>(-EFAULT));
  } else {
    std::memcpy(target, input_.linear.data() + offset, size);
    write(0, 0);
  }
  return {};
}

Result<> Machine::step() {
  const bpf_insn& instruction = code_[at_];
  switch (BPF_CLASS(instruction.code)) {
    case BPF_ALU: return alu(instruction, false);
    case BPF_ALU64: return alu(instruction, true);
    case BPF_JMP: return jump(instruction, true);
    case BPF_JMP32: return jump(instruction, false);
    case BPF_LDX: return load(instruction);
    case BPF_ST:
    case BPF_STX: return store(instruction);
    default: return fault("unknown class");
  }
}

Result<std::uint64_t> Machine::run() {
  for (; at_ < code_.size(); ++at_)
    TRY(step());
  if (at_ != code_.size())
    return fault("behind the end");
  return read(0);
}

}  // namespace

Result<std::uint64_t> interpret(std::span<const bpf_insn> code, const FilterInput& input) {
  return Machine{code, input}.run();
}

}  // namespace skbtrail::test
