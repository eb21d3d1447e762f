#pragma once
// The text of a field expression → its tree, by C's grammar and precedence.

#include <string_view>

#include "base/result.h"
#include "filter/expression_tree.h"
#include "model/type_catalogue.h"

namespace skbtrail {

// How deep parentheses, brackets, casts and prefixes may be nested.
inline constexpr int kExpressionDepth = 32;

// Asks `types` only which names are those of types, as a C parser must. Errors name the column.
Result<NodePtr> parse_expression(std::string_view expression, const TypeCatalogue& types);

}  // namespace skbtrail
