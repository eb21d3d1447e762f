#include "filter/known_bounds.h"

namespace skbtrail {
namespace {

// Far from any wrap-around, so that signed and unsigned 32-bit bounds stay the same.
constexpr std::uint64_t kLargestTracked = 1U << 30;

std::uint32_t tracked(std::uint64_t bound) {
  return bound <= kLargestTracked ? static_cast<std::uint32_t>(bound) : KnownBounds::kUnknown;
}

std::uint32_t max_after_alu(const KnownBounds& before, const sock_filter& instruction) {
  const std::uint64_t accumulator = before.accumulator_max;
  const std::uint64_t k = instruction.k;
  switch (instruction.code) {
    case BPF_ALU | BPF_AND | BPF_K: return tracked(std::min(accumulator, k));
    // NOLINTNEXTLINE(misc-redundant-expression): BPF_ADD and BPF_K are both 0
    case BPF_ALU | BPF_ADD | BPF_K: return tracked(accumulator + k);
    case BPF_ALU | BPF_ADD | BPF_X: return tracked(accumulator + before.index_max);
    case BPF_ALU | BPF_LSH | BPF_K: return k < 32 ? tracked(accumulator << k) : 0;
    case BPF_ALU | BPF_RSH | BPF_K:
      if (before.accumulator_max == KnownBounds::kUnknown)
        return KnownBounds::kUnknown;
      return k < 32 ? tracked(accumulator >> k) : 0;
    default: return KnownBounds::kUnknown;
  }
}

std::uint32_t max_after_load(const sock_filter& instruction) {
  switch (instruction.code) {
    case BPF_LD | BPF_IMM:
    case BPF_LDX | BPF_IMM: return tracked(instruction.k);
    case BPF_LD | BPF_B | BPF_ABS:
    case BPF_LD | BPF_B | BPF_IND: return 0xff;
    case BPF_LDX | BPF_B | BPF_MSH: return 0xf * 4;
    default: return KnownBounds::kUnknown;  // wider loads are swapped, and a swap hides the value from the verifier
  }
}

}  // namespace

void KnownBounds::load_accumulator(std::uint32_t max) {
  accumulator_max = max;
  linked = false;
}

void KnownBounds::load_index(std::uint32_t max) {
  index_max = max;
  indexed = 0;
  linked = false;
}

void KnownBounds::move(const sock_filter& instruction) {
  if (BPF_MISCOP(instruction.code) == BPF_TXA)
    load_accumulator(index_max);
  else
    load_index(accumulator_max);
  linked = true;
}

void KnownBounds::compare(const sock_filter& instruction) {
  if (BPF_OP(instruction.code) == BPF_JA)
    return;
  accumulator_max = kUnknown;
  if (linked || BPF_SRC(instruction.code) == BPF_X)
    index_max = kUnknown;
}

// The translation compares X before it divides by X or shifts by it.
void KnownBounds::calculate(const sock_filter& instruction) {
  accumulator_max = max_after_alu(*this, instruction);
  switch (instruction.code) {
    case BPF_ALU | BPF_DIV | BPF_X:
    case BPF_ALU | BPF_MOD | BPF_X:
    case BPF_ALU | BPF_LSH | BPF_X:
    case BPF_ALU | BPF_RSH | BPF_X: index_max = kUnknown; break;
  }
}

KnownBounds KnownBounds::after(const sock_filter& instruction) const {
  KnownBounds result = *this;
  switch (BPF_CLASS(instruction.code)) {
    case BPF_LD: result.load_accumulator(max_after_load(instruction)); break;
    case BPF_LDX: result.load_index(max_after_load(instruction)); break;
    case BPF_ALU: result.calculate(instruction); break;
    case BPF_JMP: result.compare(instruction); break;
    case BPF_MISC: result.move(instruction); break;
  }
  return result;
}

}  // namespace skbtrail
