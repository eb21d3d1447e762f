#include "filter/assembler.h"

#include <utility>

namespace skbtrail {
namespace {

__u8 number(Register reg) {
  return static_cast<__u8>(reg);
}

int alu_class(Width width) {
  return width == Width::W32 ? BPF_ALU : BPF_ALU64;
}

int jump_class(Width width) {
  return width == Width::W32 ? BPF_JMP32 : BPF_JMP;
}

}  // namespace

void Assembler::emit(int code, Register target, Register source, std::int16_t offset, std::int32_t value) {
  bpf_insn instruction{};
  instruction.code = static_cast<__u8>(code);
  instruction.dst_reg = number(target) & 0xf;
  instruction.src_reg = number(source) & 0xf;
  instruction.off = offset;
  instruction.imm = value;
  code_.push_back(instruction);
}

Assembler::Label Assembler::new_label() {
  labels_.push_back(0);
  return labels_.size() - 1;
}

void Assembler::bind(Label label) {
  labels_[label] = code_.size();
}

void Assembler::alu(Width width, int operation, Register target, Register source) {
  emit(alu_class(width) | operation | BPF_X, target, source, 0, 0);
}

void Assembler::alu(Width width, int operation, Register target, std::int32_t value) {
  emit(alu_class(width) | operation | BPF_K, target, Register::R0, 0, value);
}

void Assembler::load_constant(Register target, std::uint64_t value) {
  // Two of the three parts are zero.
  constexpr int kLoadImmediate = BPF_LD | BPF_DW | BPF_IMM;  // NOLINT(misc-redundant-expression)
  emit(kLoadImmediate, target, Register::R0, 0, static_cast<std::int32_t>(value));
  emit(0, Register::R0, Register::R0, 0, static_cast<std::int32_t>(value >> 32));
}

void Assembler::from_network(Register target, int bits) {
  emit(BPF_ALU | BPF_END | BPF_TO_BE, target, Register::R0, 0, bits);
}

void Assembler::load(int size, Register target, Register base, std::int16_t offset) {
  emit(BPF_LDX | BPF_MEM | size, target, base, offset, 0);
}

void Assembler::store(int size, Register base, std::int16_t offset, Register source) {
  emit(BPF_STX | BPF_MEM | size, base, source, offset, 0);
}

void Assembler::store_zero(int size, Register base, std::int16_t offset) {
  emit(BPF_ST | BPF_MEM | size, base, Register::R0, offset, 0);
}

void Assembler::jump_if(Width width, int condition, Register left, Register right, Label target) {
  jumps_.push_back({.at = code_.size(), .target = target});
  emit(jump_class(width) | condition | BPF_X, left, right, 0, 0);
}

void Assembler::jump_if(Width width, int condition, Register left, std::int32_t right, Label target) {
  jumps_.push_back({.at = code_.size(), .target = target});
  emit(jump_class(width) | condition | BPF_K, left, Register::R0, 0, right);
}

void Assembler::jump(Label target) {
  jumps_.push_back({.at = code_.size(), .target = target});
  emit(BPF_JMP | BPF_JA, Register::R0, Register::R0, 0, 0);
}

void Assembler::call(bpf_func_id function) {
  emit(BPF_JMP | BPF_CALL, Register::R0, Register::R0, 0, function);
}

std::vector<bpf_insn> Assembler::finish() && {
  for (const Jump& jump : jumps_)
    code_[jump.at].off = static_cast<__s16>(labels_[jump.target] - jump.at - 1);
  return std::move(code_);
}

}  // namespace skbtrail
