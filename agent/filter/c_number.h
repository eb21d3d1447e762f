#pragma once
// C's rules for numbers: what is computed of them, and which type the result has. Pure.

#include <cstdint>
#include <optional>

#include "filter/computation.h"
#include "filter/expression_tree.h"
#include "model/type_catalogue.h"

namespace skbtrail {

// A type as an expression meets it: `pointers` stars behind a type of the catalogue.
struct CType {
  TypeId base = 0;
  unsigned pointers = 0;
};

// A number that was computed. Arithmetic knows four types of them: int and long, signed or not.
struct Number {
  ComputationPtr code;
  bool is_long = false;
  bool is_signed = true;
  std::optional<CType> pointee = std::nullopt;  // it is a pointer to that
};

// `right` may be null. Folded where both sides are constants.
ComputationPtr compute(Step step, ComputationPtr left, ComputationPtr right, bool is_signed = true);
// Its lowest `bytes`, extended again.
ComputationPtr narrow(ComputationPtr value, unsigned bytes, bool is_signed);

Number truth(ComputationPtr code);
Number pointer_to(CType pointee, ComputationPtr address);

// Of an operator that computes: not of Plus, Dereference and AddressOf.
Step step_of(Operator operation);
bool is_comparison(Operator operation);
bool is_equality(Operator operation);
bool is_shift(Operator operation);
bool divides(Operator operation);

struct CommonType {
  bool is_long;
  bool is_signed;
};

// C's usual arithmetic conversions, where int has 32 bits and long 64.
CommonType common_type(const Number& left, const Number& right);
// The value stays, its type becomes that of both sides.
Number converted(Number number, CommonType type);
// What a step made of numbers of one type, back in the range of that type.
Number result_of(ComputationPtr code, CommonType type);

}  // namespace skbtrail
