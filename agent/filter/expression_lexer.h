#pragma once
// The words of a field expression: numbers, names, strings and operators, each with its column.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace skbtrail {

enum class TokenKind : std::uint8_t { Number, Name, Text, Symbol, End };

struct Token {
  TokenKind kind = TokenKind::End;
  std::size_t column = 1;    // of the first character, from 1
  std::string text = {};     // name, operator, or the content of a string
  std::uint64_t number = 0;  // Number
  bool is_long = false;      // Number: needs 64 bits, or is written with L
  bool is_unsigned = false;  // Number: written with U, or too large for the signed type
};

// "column 6: what". Every fault of an expression is told this way.
Error fault_at(std::size_t column, const std::string& what);

// Ends with a token of kind End. Refuses characters that no expression has, numbers beyond 64 bits, and strings that do
// not end.
Result<std::vector<Token>> split_expression(std::string_view expression);

}  // namespace skbtrail
