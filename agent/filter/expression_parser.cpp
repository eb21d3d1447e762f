#include "filter/expression_parser.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "filter/expression_lexer.h"

namespace skbtrail {
namespace {

struct BinaryOperator {
  std::string_view symbol;
  Operator operation;
  int strength;  // the larger, the tighter it binds
};

constexpr std::array<BinaryOperator, 18> kBinary = {{
    {"*", Operator::Multiply, 10},
    {"/", Operator::Divide, 10},
    {"%", Operator::Modulo, 10},
    {"+", Operator::Add, 9},
    {"-", Operator::Subtract, 9},
    {"<<", Operator::ShiftLeft, 8},
    {">>", Operator::ShiftRight, 8},
    {"<", Operator::Less, 7},
    {"<=", Operator::LessEqual, 7},
    {">", Operator::Greater, 7},
    {">=", Operator::GreaterEqual, 7},
    {"==", Operator::Equal, 6},
    {"!=", Operator::NotEqual, 6},
    {"&", Operator::BitAnd, 5},
    {"^", Operator::BitXor, 4},
    {"|", Operator::BitOr, 3},
    {"&&", Operator::And, 2},
    {"||", Operator::Or, 1},
}};

struct UnaryOperator {
  std::string_view symbol;
  Operator operation;
};

constexpr std::array<UnaryOperator, 6> kUnary = {{
    {"!", Operator::Not},
    {"~", Operator::Complement},
    {"-", Operator::Negate},
    {"+", Operator::Plus},
    {"*", Operator::Dereference},
    {"&", Operator::AddressOf},
}};

// Words that begin a type, and of which a type's name may have several: `unsigned long int`.
constexpr std::array<std::string_view, 8> kIntegerWords = {"unsigned", "signed", "char", "short",
                                                           "int",      "long",   "void", "bool"};

bool is_integer_word(std::string_view word) {
  return std::ranges::find(kIntegerWords, word) != kIntegerWords.end();
}

bool is_qualifier(std::string_view word) {
  return word == "const" || word == "volatile";
}

std::string shown(const Token& token) {
  switch (token.kind) {
    case TokenKind::End: return "the end";
    case TokenKind::Number: return "a number";
    case TokenKind::Text: return "a string";
    case TokenKind::Name:
    case TokenKind::Symbol: break;
  }
  return "'" + token.text + "'";
}

class Parser {
public:
  Parser(std::vector<Token> tokens, const TypeCatalogue& types) : tokens_(std::move(tokens)), types_(types) {}
  Result<NodePtr> run() &&;

private:
  Result<NodePtr> binary(int weakest);
  Result<NodePtr> unary();
  Result<NodePtr> prefixed();
  Result<NodePtr> postfix();
  Result<NodePtr> member(NodePtr record, NodeKind kind);
  Result<NodePtr> index(NodePtr array);
  Result<NodePtr> primary();
  Result<NodePtr> name();
  Result<NodePtr> cast();
  Result<WrittenType> type();
  Result<WrittenType> tagged_type(TypeTag tag);
  Result<> expect(std::string_view symbol, const std::string& why);

  const Token& now() const { return tokens_[at_]; }
  bool is_symbol(std::string_view symbol) const { return now().kind == TokenKind::Symbol && now().text == symbol; }
  bool take(std::string_view symbol);
  bool begins_type(const Token& token) const;
  NodePtr node(NodeKind kind) const;

  std::vector<Token> tokens_;
  const TypeCatalogue& types_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

NodePtr Parser::node(NodeKind kind) const {
  auto made = std::make_unique<ExpressionNode>();
  made->kind = kind;
  made->column = now().column;
  return made;
}

bool Parser::take(std::string_view symbol) {
  if (!is_symbol(symbol))
    return false;
  ++at_;
  return true;
}

Result<> Parser::expect(std::string_view symbol, const std::string& why) {
  if (take(symbol))
    return {};
  return fault_at(now().column, "'" + std::string(symbol) + "' is missing " + why + ", here is " + shown(now()));
}

Result<NodePtr> Parser::run() && {
  auto tree = TRY(binary(1));
  if (now().kind != TokenKind::End)
    return fault_at(now().column, shown(now()) + " stands where an operator or the end is due");
  return tree;
}

// Operators of one strength group from the left, as all binary ones of C do.
Result<NodePtr> Parser::binary(int weakest) {
  auto left = TRY(unary());
  for (;;) {
    const auto found = std::ranges::find_if(
        kBinary, [&](const BinaryOperator& one) { return is_symbol(one.symbol) && one.strength >= weakest; });
    if (found == kBinary.end())
      return left;
    auto made = node(NodeKind::Binary);
    ++at_;
    made->operation = found->operation;
    made->left = std::move(left);
    made->right = TRY(binary(found->strength + 1));
    left = std::move(made);
  }
}

// Every way down leads through here, so this is where depth is counted.
Result<NodePtr> Parser::unary() {
  if (depth_ == kExpressionDepth)
    return fault_at(now().column, "nested more than " + std::to_string(kExpressionDepth) + " deep; write it flatter");
  ++depth_;
  auto made = prefixed();
  --depth_;
  return made;
}

Result<NodePtr> Parser::prefixed() {
  if (is_symbol("(") && begins_type(tokens_[at_ + 1]))
    return cast();
  for (const auto& [symbol, operation] : kUnary) {
    if (!is_symbol(symbol))
      continue;
    auto made = node(NodeKind::Unary);
    ++at_;
    made->operation = operation;
    made->left = TRY(unary());
    return made;
  }
  return postfix();
}

bool Parser::begins_type(const Token& token) const {
  if (token.kind != TokenKind::Name)
    return false;
  return token.text == "struct" || token.text == "union" || token.text == "enum" || is_qualifier(token.text) ||
         is_integer_word(token.text) || types_.find(TypeTag::Ordinary, token.text);
}

Result<NodePtr> Parser::cast() {
  auto made = node(NodeKind::Cast);
  ++at_;
  made->type = TRY(type());
  TRY(expect(")", "behind the type"));
  made->left = TRY(unary());
  return made;
}

Result<WrittenType> Parser::type() {
  WrittenType written{.column = now().column};
  while (is_qualifier(now().text) && now().kind == TokenKind::Name)
    ++at_;
  if (now().text == "struct")
    written = TRY(tagged_type(TypeTag::Struct));
  else if (now().text == "union")
    written = TRY(tagged_type(TypeTag::Union));
  else if (now().text == "enum")
    written = TRY(tagged_type(TypeTag::Enum));
  else if (now().kind == TokenKind::Name && !is_integer_word(now().text))
    written.name = tokens_[at_++].text;
  while (now().kind == TokenKind::Name && (is_integer_word(now().text) || is_qualifier(now().text))) {
    if (!is_qualifier(now().text))
      written.name += (written.name.empty() ? "" : " ") + now().text;
    ++at_;
  }
  if (written.name.empty())
    return fault_at(now().column, "here the name of a type is missing");
  while (take("*")) {
    ++written.pointers;
    while (now().kind == TokenKind::Name && is_qualifier(now().text))
      ++at_;
  }
  return written;
}

Result<WrittenType> Parser::tagged_type(TypeTag tag) {
  WrittenType written{.tag = tag, .column = now().column};
  ++at_;
  if (now().kind != TokenKind::Name)
    return fault_at(now().column, "here the name of a struct, union or enum is missing");
  written.name = tokens_[at_++].text;
  return written;
}

Result<NodePtr> Parser::postfix() {
  auto made = TRY(primary());
  for (;;) {
    if (take("->"))
      made = TRY(member(std::move(made), NodeKind::Arrow));
    else if (take("."))
      made = TRY(member(std::move(made), NodeKind::Member));
    else if (is_symbol("["))
      made = TRY(index(std::move(made)));
    else
      return made;
  }
}

Result<NodePtr> Parser::member(NodePtr record, NodeKind kind) {
  if (now().kind != TokenKind::Name)
    return fault_at(now().column, "here the name of a field is missing");
  auto made = node(kind);
  made->text = tokens_[at_++].text;
  made->left = std::move(record);
  return made;
}

Result<NodePtr> Parser::index(NodePtr array) {
  auto made = node(NodeKind::Index);
  ++at_;
  made->left = std::move(array);
  made->right = TRY(binary(1));
  TRY(expect("]", "behind the index"));
  return made;
}

Result<NodePtr> Parser::primary() {
  if (now().kind == TokenKind::Name)
    return name();
  if (now().kind == TokenKind::Number || now().kind == TokenKind::Text) {
    auto made = node(now().kind == TokenKind::Number ? NodeKind::Number : NodeKind::Text);
    const Token& token = tokens_[at_++];
    made->number = token.number;
    made->is_long = token.is_long;
    made->is_unsigned = token.is_unsigned;
    made->text = token.text;
    return made;
  }
  if (take("(")) {
    auto made = TRY(binary(1));
    TRY(expect(")", "to close the parenthesis"));
    return made;
  }
  return fault_at(now().column, "here a field, a number or a parenthesis is due, not " + shown(now()));
}

Result<NodePtr> Parser::name() {
  auto made = node(NodeKind::Name);
  made->text = tokens_[at_++].text;
  if (!is_symbol("("))
    return made;
  if (made->text == "sizeof")
    return fault_at(made->column, "there is no sizeof here; write the number");
  return fault_at(made->column,
                  "nothing can be called here; fields of type __be16 and __be32 are read in host byte "
                  "order, so ntohs() and ntohl() are not needed");
}

}  // namespace

Result<NodePtr> parse_expression(std::string_view expression, const TypeCatalogue& types) {
  return Parser{TRY(split_expression(expression)), types}.run();
}

}  // namespace skbtrail
