#pragma once
// Computation: a field expression after its types were checked: plain steps on 64-bit numbers.
//
// A number of a C type is kept as 64 bits: sign-extended if the type is signed, else zero-extended.

#include <cstdint>
#include <memory>
#include <string>

namespace skbtrail {

enum class Step : std::uint8_t {
  Constant,  // `constant`
  Root,      // address of what the expression is about
  Load,      // memory at left + load.offset; fails where the kernel cannot read
  SameText,  // 1 if the text at left + load.offset equals `text`, else 0; fails likewise
  Narrow,    // left as a number of `bytes` bytes
  Negate,
  Complement,
  Not,  // 1 if left is 0, else 0
  Add,
  Subtract,
  Multiply,
  Divide,  // fails by zero
  Modulo,
  ShiftLeft,  // right is masked to less than 64
  ShiftRight,
  BitAnd,
  BitOr,
  BitXor,
  Equal,
  NotEqual,
  Less,
  LessEqual,
  Greater,
  GreaterEqual,
  And,  // 0 or 1; right is computed only if left does not decide
  Or,
};

struct Loading {
  std::int32_t offset = 0;
  unsigned bytes = 8;  // 1, 2, 4 or 8
  bool is_signed = false;
  bool big_endian = false;
  unsigned bit_shift = 0;  // a bitfield: from the lowest bit of the loaded number
  unsigned bit_size = 0;   // 0: all bits
};

struct Computation;
using ComputationPtr = std::unique_ptr<Computation>;

struct Computation {
  Step step = Step::Constant;
  std::uint64_t constant = 0;
  bool is_signed = true;   // Narrow, Divide, Modulo, ShiftRight and the ordering comparisons
  unsigned bytes = 8;      // Narrow
  Loading load = {};       // Load, SameText (offset only)
  std::string text = {};   // SameText
  std::uint64_t room = 0;  // SameText: bytes of the array; 0: the text is behind a pointer and ends with a zero byte
  ComputationPtr left = nullptr;
  ComputationPtr right = nullptr;
};

// What a step on two numbers gives. Precondition: one of Narrow to Or that is not And or Or, and no division by zero.
std::uint64_t calculate(const Computation& step, std::uint64_t left, std::uint64_t right);

// A value that is known.
ComputationPtr constant(std::uint64_t value);

// Computes what is known beforehand; And and Or lose a side that decides or does not matter.
ComputationPtr folded(ComputationPtr computation);

}  // namespace skbtrail
