#pragma once
// Assembler: collects eBPF instructions whose jumps go to labels, and resolves them at the end.

#include <linux/bpf.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace skbtrail {

// A register operand; bpf.h's BPF_REG_n are plain enumerators of an unnamed enum.
enum class Register : std::uint8_t { R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10 };

// Width of an operation. W32 clears the upper half of the target.
enum class Width { W32, W64 };

class Assembler {
public:
  using Label = std::size_t;

  Label new_label();
  void bind(Label label);

  // `operation` is BPF_ADD, BPF_MOV, …
  void alu(Width width, int operation, Register target, Register source);
  void alu(Width width, int operation, Register target, std::int32_t value);
  // Any 64-bit number; takes the room of two instructions.
  void load_constant(Register target, std::uint64_t value);
  // Network to host byte order; `bits` is 16, 32 or 64.
  void from_network(Register target, int bits);
  // `size` is BPF_B, BPF_H, BPF_W or BPF_DW.
  void load(int size, Register target, Register base, std::int16_t offset);
  void store(int size, Register base, std::int16_t offset, Register source);
  void store_zero(int size, Register base, std::int16_t offset);
  // `condition` is BPF_JEQ, BPF_JLT, …
  void jump_if(Width width, int condition, Register left, Register right, Label target);
  void jump_if(Width width, int condition, Register left, std::int32_t right, Label target);
  void jump(Label target);
  void call(bpf_func_id function);

  std::size_t size() const { return code_.size(); }
  // Jumps resolved. Precondition: every label that was jumped to is bound, and the code is shorter than 32,768.
  std::vector<bpf_insn> finish() &&;

private:
  struct Jump {
    std::size_t at;
    Label target;
  };

  void emit(int code, Register target, Register source, std::int16_t offset, std::int32_t value);

  std::vector<bpf_insn> code_;
  std::vector<std::size_t> labels_;
  std::vector<Jump> jumps_;
};

}  // namespace skbtrail
