#include "filter/expression_generator.h"

#include <linux/types.h>

#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>
#include <utility>

#include "filter/assembler.h"
#include "trace_abi.h"

namespace skbtrail {
namespace {

// What helper calls leave alone holds what lives long; operands meet in r1 and r6.
constexpr Register kVerdict = Register::R0;
constexpr Register kOther = Register::R1;
constexpr Register kFlag = Register::R2;
constexpr Register kResult = Register::R6;
constexpr Register kCopy = Register::R7;
constexpr Register kMemory = Register::R8;
constexpr Register kRoot = Register::R9;

// Layout of the working memory: where helpers read to, numbers that wait for their other side, text.
constexpr std::int16_t kReadTarget = 0;
constexpr std::int16_t kWaiting = 8;
constexpr std::size_t kTextBytes = 64;
constexpr std::int16_t kTextTarget = TRACE_EXPRESSION_SCRATCH - kTextBytes;
constexpr std::size_t kMostWaiting = (kTextTarget - kWaiting) / 8;

constexpr std::int16_t kValid = TRACE_EXPRESSION_SCRATCH + offsetof(trace_values, valid);
constexpr std::int16_t kValues = TRACE_EXPRESSION_SCRATCH + offsetof(trace_values, value);

std::int16_t waiting_slot(std::size_t depth) {
  return static_cast<std::int16_t>(kWaiting + 8 * depth);
}

int size_code(unsigned bytes) {
  switch (bytes) {
    case 1: return BPF_B;
    case 2: return BPF_H;
    case 4: return BPF_W;
    default: return BPF_DW;
  }
}

int alu_operation(const Computation& step) {
  switch (step.step) {
    case Step::Add: return BPF_ADD;
    case Step::Subtract: return BPF_SUB;
    case Step::Multiply: return BPF_MUL;
    case Step::ShiftLeft: return BPF_LSH;
    case Step::ShiftRight: return step.is_signed ? BPF_ARSH : BPF_RSH;
    case Step::BitAnd: return BPF_AND;
    case Step::BitOr: return BPF_OR;
    default: return BPF_XOR;
  }
}

int condition_of(const Computation& step) {
  switch (step.step) {
    case Step::Equal: return BPF_JEQ;
    case Step::NotEqual: return BPF_JNE;
    case Step::Less: return step.is_signed ? BPF_JSLT : BPF_JLT;
    case Step::LessEqual: return step.is_signed ? BPF_JSLE : BPF_JLE;
    case Step::Greater: return step.is_signed ? BPF_JSGT : BPF_JGT;
    default: return step.is_signed ? BPF_JSGE : BPF_JGE;
  }
}

bool compares(Step step) {
  return step >= Step::Equal && step <= Step::GreaterEqual;
}

// 0 or 1, and computed by jumping.
bool is_condition(Step step) {
  return compares(step) || step == Step::And || step == Step::Or || step == Step::Not || step == Step::SameText;
}

bool is_shift(Step step) {
  return step == Step::ShiftLeft || step == Step::ShiftRight;
}

bool fits_immediate(const Computation& computation) {
  const auto value = static_cast<std::int64_t>(computation.constant);
  return computation.step == Step::Constant && value >= std::numeric_limits<std::int32_t>::min() &&
         value <= std::numeric_limits<std::int32_t>::max();
}

std::int32_t immediate(const Computation& computation) {
  return static_cast<std::int32_t>(computation.constant);
}

class Generator {
public:
  explicit Generator(const GeneratorOptions& options) : options_(options) {}

  Result<std::vector<bpf_insn>> filter(const Computation& computation) &&;
  Result<std::vector<bpf_insn>> values(std::span<const ComputationPtr> computations) &&;

private:
  void begin();
  void value(const Computation& computation, std::size_t position);
  Result<std::vector<bpf_insn>> finish();

  void evaluate(const Computation& computation);
  void evaluate_condition(const Computation& computation);
  void branch(const Computation& computation, Assembler::Label if_true, Assembler::Label if_false);
  void branch_comparison(const Computation& computation, Assembler::Label if_true, Assembler::Label if_false);
  void branch_text(const Computation& computation, Assembler::Label if_true, Assembler::Label if_false);
  void compare_text(const std::string& text, std::size_t bytes, Assembler::Label if_false);

  void evaluate_both(const Computation& computation);
  void arithmetic(const Computation& computation);
  void division(const Computation& computation);
  void signed_division(bool remainder);
  void make_positive(Register number, bool flips_sign);
  void narrow(unsigned bytes, bool is_signed);
  void load(const Computation& computation);
  void finish_load(const Loading& load);
  void extract_bits(const Loading& load);
  bool lies_in_copy(const Computation& computation) const;
  void address(const Computation& base, std::int32_t offset);
  void jump_to_failure_if(int condition, Register left, std::int32_t right);

  GeneratorOptions options_;
  Assembler code_;
  Assembler::Label failure_ = 0;  // of the expression that is being emitted
  std::size_t waiting_ = 0;       // numbers that wait at this point
  bool too_deep_ = false;
};

void Generator::begin() {
  code_.alu(Width::W64, BPF_MOV, kRoot, Register::R1);
  code_.alu(Width::W64, BPF_MOV, kMemory, Register::R2);
  if (options_.has_copy)
    code_.alu(Width::W64, BPF_MOV, kCopy, Register::R3);
}

Result<std::vector<bpf_insn>> Generator::filter(const Computation& computation) && {
  begin();
  failure_ = code_.new_label();
  const auto end = code_.new_label();
  if (computation.step == Step::Constant) {
    code_.alu(Width::W64, BPF_MOV, kVerdict, computation.constant != 0 ? 1 : 0);
    return finish();
  }
  const auto matches = code_.new_label();
  branch(computation, matches, failure_);
  code_.bind(matches);
  code_.alu(Width::W64, BPF_MOV, kVerdict, 1);
  code_.jump(end);
  code_.bind(failure_);
  code_.alu(Width::W64, BPF_MOV, kVerdict, 0);
  code_.bind(end);
  return finish();
}

Result<std::vector<bpf_insn>> Generator::values(std::span<const ComputationPtr> computations) && {
  begin();
  code_.store_zero(BPF_DW, kMemory, kValid);
  for (std::size_t position = 0; position < computations.size(); ++position)
    value(*computations[position], position);
  code_.alu(Width::W64, BPF_MOV, kVerdict, 0);
  return finish();
}

void Generator::value(const Computation& computation, std::size_t position) {
  failure_ = code_.new_label();
  evaluate(computation);
  code_.store(BPF_DW, kMemory, static_cast<std::int16_t>(kValues + 8 * position), kResult);
  code_.load(BPF_DW, kOther, kMemory, kValid);
  code_.alu(Width::W64, BPF_OR, kOther, static_cast<std::int32_t>(1U << position));
  code_.store(BPF_DW, kMemory, kValid, kOther);
  code_.bind(failure_);
}

Result<std::vector<bpf_insn>> Generator::finish() {
  if (too_deep_)
    return refuse(E2BIG,
                  "more than " + std::to_string(kMostWaiting) + " intermediate results at once; write it flatter");
  if (code_.size() >= kExpressionPadInstructions)
    return refuse(E2BIG, "it takes " + std::to_string(code_.size()) + " instructions, and there is room for " +
                             std::to_string(kExpressionPadInstructions - 1) + "; write it shorter");
  return std::move(code_).finish();
}

void Generator::evaluate(const Computation& computation) {
  switch (computation.step) {
    case Step::Constant:
      if (fits_immediate(computation))
        return code_.alu(Width::W64, BPF_MOV, kResult, immediate(computation));
      return code_.load_constant(kResult, computation.constant);
    case Step::Root: return code_.alu(Width::W64, BPF_MOV, kResult, kRoot);
    case Step::Load: return load(computation);
    case Step::Narrow: evaluate(*computation.left); return narrow(computation.bytes, computation.is_signed);
    case Step::Negate: evaluate(*computation.left); return code_.alu(Width::W64, BPF_NEG, kResult, 0);
    case Step::Complement: evaluate(*computation.left); return code_.alu(Width::W64, BPF_XOR, kResult, -1);
    case Step::Divide:
    case Step::Modulo: return division(computation);
    default: break;
  }
  if (is_condition(computation.step))
    evaluate_condition(computation);
  else
    arithmetic(computation);
}

void Generator::evaluate_condition(const Computation& computation) {
  const auto if_true = code_.new_label();
  const auto if_false = code_.new_label();
  const auto end = code_.new_label();
  branch(computation, if_true, if_false);
  code_.bind(if_true);
  code_.alu(Width::W64, BPF_MOV, kResult, 1);
  code_.jump(end);
  code_.bind(if_false);
  code_.alu(Width::W64, BPF_MOV, kResult, 0);
  code_.bind(end);
}

// Jumps to one of both labels. Constants do not come here: folding has taken them out, since code behind a branch that
// nothing reaches is refused by the verifier.
void Generator::branch(const Computation& computation, Assembler::Label if_true, Assembler::Label if_false) {
  if (computation.step == Step::And || computation.step == Step::Or) {
    const auto next = code_.new_label();
    if (computation.step == Step::And)
      branch(*computation.left, next, if_false);
    else
      branch(*computation.left, if_true, next);
    code_.bind(next);
    return branch(*computation.right, if_true, if_false);
  }
  if (computation.step == Step::Not)
    return branch(*computation.left, if_false, if_true);
  if (computation.step == Step::SameText)
    return branch_text(computation, if_true, if_false);
  if (compares(computation.step))
    return branch_comparison(computation, if_true, if_false);
  evaluate(computation);
  code_.jump_if(Width::W64, BPF_JEQ, kResult, 0, if_false);
  code_.jump(if_true);
}

void Generator::branch_comparison(const Computation& computation, Assembler::Label if_true, Assembler::Label if_false) {
  if (fits_immediate(*computation.right)) {
    evaluate(*computation.left);
    code_.jump_if(Width::W64, condition_of(computation), kResult, immediate(*computation.right), if_true);
  } else {
    evaluate_both(computation);
    code_.jump_if(Width::W64, condition_of(computation), kOther, kResult, if_true);
  }
  code_.jump(if_false);
}

void Generator::branch_text(const Computation& computation, Assembler::Label if_true, Assembler::Label if_false) {
  const std::string& text = computation.text;
  const bool in_array = computation.room != 0;
  // With its zero byte, where there is room for one. Behind a pointer one byte more is read: the helper cuts what it
  // reads with a zero byte, which must not pass for the end of the text.
  const std::size_t compared = in_array ? std::min<std::size_t>(text.size() + 1, computation.room) : text.size() + 1;
  address(*computation.left, computation.load.offset);
  code_.alu(Width::W64, BPF_MOV, Register::R1, kMemory);
  code_.alu(Width::W64, BPF_ADD, Register::R1, kTextTarget);
  code_.alu(Width::W32, BPF_MOV, Register::R2, static_cast<std::int32_t>(in_array ? compared : compared + 1));
  code_.call(in_array ? BPF_FUNC_probe_read_kernel : BPF_FUNC_probe_read_kernel_str);
  jump_to_failure_if(BPF_JSLT, kVerdict, 0);
  compare_text(text, compared, if_false);
  code_.jump(if_true);
}

// In pieces of 8, 4, 2 and 1 bytes.
void Generator::compare_text(const std::string& text, std::size_t bytes, Assembler::Label if_false) {
  for (std::size_t at = 0, piece = 8; at < bytes; at += piece) {
    while (piece > bytes - at)
      piece /= 2;
    std::uint64_t wanted = 0;
    if (at < text.size())
      std::memcpy(&wanted, text.data() + at, std::min(piece, text.size() - at));
    code_.load(size_code(static_cast<unsigned>(piece)), kResult, kMemory, static_cast<std::int16_t>(kTextTarget + at));
    code_.load_constant(kOther, wanted);
    code_.jump_if(Width::W64, BPF_JNE, kResult, kOther, if_false);
  }
}

// Left in kOther, right in kResult.
void Generator::evaluate_both(const Computation& computation) {
  evaluate(*computation.left);
  if (waiting_ == kMostWaiting) {
    too_deep_ = true;
    return;
  }
  const auto slot = waiting_slot(waiting_++);
  code_.store(BPF_DW, kMemory, slot, kResult);
  evaluate(*computation.right);
  code_.load(BPF_DW, kOther, kMemory, slot);
  --waiting_;
}

void Generator::arithmetic(const Computation& computation) {
  const int operation = alu_operation(computation);
  if (fits_immediate(*computation.right)) {
    evaluate(*computation.left);
    return code_.alu(Width::W64, operation, kResult, immediate(*computation.right));
  }
  evaluate_both(computation);
  // The verifier need not believe what the checker made sure of.
  if (is_shift(computation.step))
    code_.alu(Width::W64, BPF_AND, kResult, 63);
  code_.alu(Width::W64, operation, kOther, kResult);
  code_.alu(Width::W64, BPF_MOV, kResult, kOther);
}

void Generator::division(const Computation& computation) {
  const bool remainder = computation.step == Step::Modulo;
  evaluate_both(computation);
  jump_to_failure_if(BPF_JEQ, kResult, 0);
  if (computation.is_signed)
    return signed_division(remainder);
  code_.alu(Width::W64, remainder ? BPF_MOD : BPF_DIV, kOther, kResult);
  code_.alu(Width::W64, BPF_MOV, kResult, kOther);
}

// Without signs, which are put back: eBPF divides signed numbers from Linux 6.6 on only.
void Generator::signed_division(bool remainder) {
  code_.alu(Width::W64, BPF_MOV, kFlag, 0);
  make_positive(kOther, true);
  make_positive(kResult, !remainder);  // a remainder has the sign of the dividend
  code_.alu(Width::W64, remainder ? BPF_MOD : BPF_DIV, kOther, kResult);
  code_.alu(Width::W64, BPF_MOV, kResult, kOther);
  const auto positive = code_.new_label();
  code_.jump_if(Width::W64, BPF_JEQ, kFlag, 0, positive);
  code_.alu(Width::W64, BPF_NEG, kResult, 0);
  code_.bind(positive);
}

void Generator::make_positive(Register number, bool flips_sign) {
  const auto done = code_.new_label();
  code_.jump_if(Width::W64, BPF_JSGE, number, 0, done);
  code_.alu(Width::W64, BPF_NEG, number, 0);
  if (flips_sign)
    code_.alu(Width::W64, BPF_XOR, kFlag, 1);
  code_.bind(done);
}

void Generator::narrow(unsigned bytes, bool is_signed) {
  const auto spare = static_cast<std::int32_t>(64 - 8 * bytes);
  if (spare == 0)
    return;
  code_.alu(Width::W64, BPF_LSH, kResult, spare);
  code_.alu(Width::W64, is_signed ? BPF_ARSH : BPF_RSH, kResult, spare);
}

bool Generator::lies_in_copy(const Computation& computation) const {
  const Loading& load = computation.load;
  return options_.has_copy && computation.left->step == Step::Root && load.offset >= 0 &&
         static_cast<std::size_t>(load.offset) + load.bytes <= TRACE_SKB_COPY_BYTES;
}

// Into r3, where the helpers that read take it.
void Generator::address(const Computation& base, std::int32_t offset) {
  evaluate(base);
  code_.alu(Width::W64, BPF_MOV, Register::R3, kResult);
  if (offset != 0)
    code_.alu(Width::W64, BPF_ADD, Register::R3, offset);
}

void Generator::load(const Computation& computation) {
  const Loading& load = computation.load;
  const int size = size_code(load.bytes);
  if (lies_in_copy(computation)) {
    code_.load(size, kResult, kCopy, static_cast<std::int16_t>(load.offset));
    return finish_load(load);
  }
  address(*computation.left, load.offset);
  code_.alu(Width::W64, BPF_MOV, Register::R1, kMemory);
  code_.alu(Width::W32, BPF_MOV, Register::R2, static_cast<std::int32_t>(load.bytes));
  code_.call(BPF_FUNC_probe_read_kernel);
  jump_to_failure_if(BPF_JNE, kVerdict, 0);
  code_.load(size, kResult, kMemory, kReadTarget);
  finish_load(load);
}

void Generator::finish_load(const Loading& load) {
  if (load.bit_size != 0)
    return extract_bits(load);
  if (load.big_endian && load.bytes > 1)
    code_.from_network(kResult, static_cast<int>(8 * load.bytes));
  if (load.is_signed)
    narrow(load.bytes, true);
}

void Generator::extract_bits(const Loading& load) {
  code_.alu(Width::W64, BPF_LSH, kResult, static_cast<std::int32_t>(64 - load.bit_shift - load.bit_size));
  code_.alu(Width::W64, load.is_signed ? BPF_ARSH : BPF_RSH, kResult, static_cast<std::int32_t>(64 - load.bit_size));
}

void Generator::jump_to_failure_if(int condition, Register left, std::int32_t right) {
  code_.jump_if(Width::W64, condition, left, right, failure_);
}

}  // namespace

Result<std::vector<bpf_insn>> generate_filter(const Computation& computation, const GeneratorOptions& options) {
  return Generator{options}.filter(computation);
}

Result<std::vector<bpf_insn>> generate_values(std::span<const ComputationPtr> computations,
                                              const GeneratorOptions& options) {
  return Generator{options}.values(computations);
}

}  // namespace skbtrail
