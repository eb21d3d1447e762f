#include "filter/computation.h"

#include <cstdlib>
#include <utility>

namespace skbtrail {
namespace {

constexpr std::uint64_t kDistanceMask = 63;

std::int64_t as_signed(std::uint64_t value) {
  return static_cast<std::int64_t>(value);
}

std::uint64_t as_unsigned(std::int64_t value) {
  return static_cast<std::uint64_t>(value);
}

std::uint64_t narrowed(std::uint64_t value, unsigned bytes, bool is_signed) {
  const unsigned spare = 64 - 8 * bytes;
  return is_signed ? as_unsigned(as_signed(value << spare) >> spare) : value << spare >> spare;
}

std::uint64_t magnitude(std::uint64_t value) {
  return as_signed(value) < 0 ? 0 - value : value;
}

std::uint64_t divided(std::uint64_t left, std::uint64_t right, bool is_signed) {
  if (!is_signed)
    return left / right;
  const std::uint64_t quotient = magnitude(left) / magnitude(right);
  return (as_signed(left) < 0) != (as_signed(right) < 0) ? 0 - quotient : quotient;
}

std::uint64_t remainder(std::uint64_t left, std::uint64_t right, bool is_signed) {
  if (!is_signed)
    return left % right;
  const std::uint64_t rest = magnitude(left) % magnitude(right);
  return as_signed(left) < 0 ? 0 - rest : rest;
}

bool is_less(std::uint64_t left, std::uint64_t right, bool is_signed) {
  return is_signed ? as_signed(left) < as_signed(right) : left < right;
}

bool is_constant(const ComputationPtr& computation) {
  return computation && computation->step == Step::Constant;
}

// 0 or 1.
ComputationPtr truth_of(ComputationPtr value) {
  auto made = std::make_unique<Computation>();
  made->step = Step::NotEqual;
  made->left = std::move(value);
  made->right = constant(0);
  return folded(std::move(made));
}

ComputationPtr folded_logic(ComputationPtr logic) {
  const bool deciding = logic->step == Step::Or;  // this value of one side decides
  if (is_constant(logic->left))
    return (logic->left->constant != 0) == deciding ? constant(deciding ? 1 : 0) : truth_of(std::move(logic->right));
  if (is_constant(logic->right) && (logic->right->constant != 0) != deciding)
    return truth_of(std::move(logic->left));
  // The left side may fail, so it stays even where the right side is known to decide.
  if (is_constant(logic->right))
    logic->right = truth_of(std::move(logic->right));
  return logic;
}

bool divides(Step step) {
  return step == Step::Divide || step == Step::Modulo;
}

bool has_operands_only(Step step) {
  return step >= Step::Narrow && step < Step::And;
}

}  // namespace

ComputationPtr constant(std::uint64_t value) {
  auto made = std::make_unique<Computation>();
  made->constant = value;
  return made;
}

std::uint64_t calculate(const Computation& step, std::uint64_t left, std::uint64_t right) {
  switch (step.step) {
    case Step::Narrow: return narrowed(left, step.bytes, step.is_signed);
    case Step::Negate: return 0 - left;
    case Step::Complement: return ~left;
    case Step::Not: return left == 0;
    case Step::Add: return left + right;
    case Step::Subtract: return left - right;
    case Step::Multiply: return left * right;
    case Step::Divide: return divided(left, right, step.is_signed);
    case Step::Modulo: return remainder(left, right, step.is_signed);
    case Step::ShiftLeft: return left << (right & kDistanceMask);
    case Step::ShiftRight:
      return step.is_signed ? as_unsigned(as_signed(left) >> (right & kDistanceMask)) : left >> (right & kDistanceMask);
    case Step::BitAnd: return left & right;
    case Step::BitOr: return left | right;
    case Step::BitXor: return left ^ right;
    case Step::Equal: return left == right;
    case Step::NotEqual: return left != right;
    case Step::Less: return is_less(left, right, step.is_signed);
    case Step::LessEqual: return !is_less(right, left, step.is_signed);
    case Step::Greater: return is_less(right, left, step.is_signed);
    case Step::GreaterEqual: return !is_less(left, right, step.is_signed);
    case Step::Constant:
    case Step::Root:
    case Step::Load:
    case Step::SameText:
    case Step::And:
    case Step::Or: break;
  }
  std::abort();
}

ComputationPtr folded(ComputationPtr computation) {
  if (computation->step == Step::And || computation->step == Step::Or)
    return folded_logic(std::move(computation));
  const bool known = has_operands_only(computation->step) && is_constant(computation->left) &&
                     (!computation->right || is_constant(computation->right)) &&
                     (!divides(computation->step) || computation->right->constant != 0);
  if (!known)
    return computation;
  return constant(
      calculate(*computation, computation->left->constant, computation->right ? computation->right->constant : 0));
}

}  // namespace skbtrail
