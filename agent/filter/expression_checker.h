#pragma once
// The tree of a field expression → a computation, by C's rules for types, members, pointers and conversions.

#include <string>

#include "base/result.h"
#include "filter/computation.h"
#include "filter/expression_tree.h"
#include "model/type_catalogue.h"

namespace skbtrail {

// The one variable of an expression: a pointer to a struct, such as `skb`.
struct RootVariable {
  std::string name;
  TypeId points_to = 0;
};

struct CheckedExpression {
  ComputationPtr computation;
  bool is_signed = false;
  bool is_pointer = false;
};

// Longest string that can be compared with.
inline constexpr std::size_t kTextLength = 62;

// Refuses what is no number or pointer in the end. Errors name the column.
Result<CheckedExpression> check_expression(const ExpressionNode& tree, const RootVariable& root,
                                           const TypeCatalogue& types);

}  // namespace skbtrail
