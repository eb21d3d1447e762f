#pragma once
// ValueForm: what the value of a field expression is called, and how it is written.

#include <cstdint>
#include <string>

namespace skbtrail {

enum class ValueKind : std::uint8_t { Signed, Unsigned, Pointer };

struct ValueForm {
  std::string name;  // the expression
  ValueKind kind = ValueKind::Unsigned;
  friend bool operator==(const ValueForm&, const ValueForm&) = default;
};

}  // namespace skbtrail
