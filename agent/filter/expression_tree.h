#pragma once
// ExpressionNode: a field expression as it was written; nothing is known about types yet.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "model/type_catalogue.h"

namespace skbtrail {

enum class Operator : std::uint8_t {
  // unary
  Not,
  Complement,
  Negate,
  Plus,
  Dereference,
  AddressOf,
  // binary, from what binds most
  Multiply,
  Divide,
  Modulo,
  Add,
  Subtract,
  ShiftLeft,
  ShiftRight,
  Less,
  LessEqual,
  Greater,
  GreaterEqual,
  Equal,
  NotEqual,
  BitAnd,
  BitXor,
  BitOr,
  And,
  Or,
};

// `struct iphdr **`
struct WrittenType {
  TypeTag tag = TypeTag::Ordinary;
  std::string name = {};
  unsigned pointers = 0;
  std::size_t column = 1;
};

enum class NodeKind : std::uint8_t { Number, Text, Name, Unary, Binary, Member, Arrow, Index, Cast };

struct ExpressionNode;
using NodePtr = std::unique_ptr<ExpressionNode>;

struct ExpressionNode {
  NodeKind kind = NodeKind::Number;
  std::size_t column = 1;  // of the operator for Unary and Binary, of the name for Member and Arrow
  std::string text = {};   // Text: its content; Name, Member, Arrow: the name
  std::uint64_t number = 0;
  bool is_long = false;      // Number: of type long
  bool is_unsigned = false;  // Number
  Operator operation = Operator::Not;
  WrittenType type = {};  // Cast
  NodePtr left = nullptr;
  NodePtr right = nullptr;  // Binary, Index
};

}  // namespace skbtrail
