#include "filter/c_number.h"

#include <cstdlib>
#include <memory>
#include <utility>

namespace skbtrail {

ComputationPtr compute(Step step, ComputationPtr left, ComputationPtr right, bool is_signed) {
  auto made = std::make_unique<Computation>();
  made->step = step;
  made->is_signed = is_signed;
  made->left = std::move(left);
  made->right = std::move(right);
  return folded(std::move(made));
}

ComputationPtr narrow(ComputationPtr value, unsigned bytes, bool is_signed) {
  auto made = std::make_unique<Computation>();
  made->step = Step::Narrow;
  made->bytes = bytes;
  made->is_signed = is_signed;
  made->left = std::move(value);
  return folded(std::move(made));
}

Number truth(ComputationPtr code) {
  return {.code = std::move(code)};
}

Number pointer_to(CType pointee, ComputationPtr address) {
  return {.code = std::move(address), .is_long = true, .is_signed = false, .pointee = pointee};
}

Step step_of(Operator operation) {
  switch (operation) {
    case Operator::Not: return Step::Not;
    case Operator::Complement: return Step::Complement;
    case Operator::Negate: return Step::Negate;
    case Operator::Multiply: return Step::Multiply;
    case Operator::Divide: return Step::Divide;
    case Operator::Modulo: return Step::Modulo;
    case Operator::Add: return Step::Add;
    case Operator::Subtract: return Step::Subtract;
    case Operator::ShiftLeft: return Step::ShiftLeft;
    case Operator::ShiftRight: return Step::ShiftRight;
    case Operator::Less: return Step::Less;
    case Operator::LessEqual: return Step::LessEqual;
    case Operator::Greater: return Step::Greater;
    case Operator::GreaterEqual: return Step::GreaterEqual;
    case Operator::Equal: return Step::Equal;
    case Operator::NotEqual: return Step::NotEqual;
    case Operator::BitAnd: return Step::BitAnd;
    case Operator::BitXor: return Step::BitXor;
    case Operator::BitOr: return Step::BitOr;
    case Operator::And: return Step::And;
    case Operator::Or: return Step::Or;
    case Operator::Plus:
    case Operator::Dereference:
    case Operator::AddressOf: break;
  }
  std::abort();
}

bool is_comparison(Operator operation) {
  return operation >= Operator::Less && operation <= Operator::NotEqual;
}

bool is_equality(Operator operation) {
  return operation == Operator::Equal || operation == Operator::NotEqual;
}

bool is_shift(Operator operation) {
  return operation == Operator::ShiftLeft || operation == Operator::ShiftRight;
}

bool divides(Operator operation) {
  return operation == Operator::Divide || operation == Operator::Modulo;
}

CommonType common_type(const Number& left, const Number& right) {
  const bool is_long = left.is_long || right.is_long;
  const auto unsigned_there = [&](const Number& one) { return !one.is_signed && one.is_long == is_long; };
  return {.is_long = is_long, .is_signed = !unsigned_there(left) && !unsigned_there(right)};
}

Number converted(Number number, CommonType type) {
  const bool same = number.is_long == type.is_long && number.is_signed == type.is_signed;
  if (!same && !type.is_long)
    number.code = narrow(std::move(number.code), 4, type.is_signed);
  number.is_long = type.is_long;
  number.is_signed = type.is_signed;
  return number;
}

Number result_of(ComputationPtr code, CommonType type) {
  if (!type.is_long)
    code = narrow(std::move(code), 4, type.is_signed);
  return {.code = std::move(code), .is_long = type.is_long, .is_signed = type.is_signed};
}

}  // namespace skbtrail
