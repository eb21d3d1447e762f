#include "filter/expression_lexer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>

namespace skbtrail {
namespace {

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n';
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool starts_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool continues_word(char c) {
  return starts_name(c) || is_digit(c);
}

// Longest first, so that `<<` is not taken for two `<`.
constexpr std::array<std::string_view, 26> kSymbols = {"->", "<<", ">>", "<=", ">=", "==", "!=", "&&", "||",
                                                       "(",  ")",  "[",  "]",  ".",  "+",  "-",  "*",  "/",
                                                       "%",  "&",  "|",  "^",  "~",  "!",  "<",  ">"};

std::string shown(char c) {
  if (c >= ' ' && c < 0x7f)
    return std::string("'") + c + "'";
  return "this byte";
}

class Lexer {
public:
  explicit Lexer(std::string_view text) : text_(text) {}
  Result<std::vector<Token>> run() &&;

private:
  Result<Token> next();
  Result<Token> number();
  Result<> suffix(std::string_view word, Token& token) const;
  Result<Token> character();
  Result<Token> string();
  Result<Token> symbol();
  Result<char> one_character(char quote);
  Result<char> escaped();
  Result<char> hexadecimal();
  std::string_view word() const;
  Token token_here(TokenKind kind) const { return {.kind = kind, .column = at_ + 1}; }

  std::string_view text_;
  std::size_t at_ = 0;
};

Result<std::vector<Token>> Lexer::run() && {
  std::vector<Token> tokens;
  for (;;) {
    while (at_ < text_.size() && is_space(text_[at_]))
      ++at_;
    tokens.push_back(TRY(next()));
    if (tokens.back().kind == TokenKind::End)
      return tokens;
  }
}

Result<Token> Lexer::next() {
  if (at_ == text_.size())
    return token_here(TokenKind::End);
  const char first = text_[at_];
  if (is_digit(first))
    return number();
  if (first == '\'')
    return character();
  if (first == '"')
    return string();
  if (!starts_name(first))
    return symbol();
  Token token = token_here(TokenKind::Name);
  token.text = word();
  at_ += token.text.size();
  return token;
}

std::string_view Lexer::word() const {
  std::size_t end = at_;
  while (end < text_.size() && continues_word(text_[end]))
    ++end;
  return text_.substr(at_, end - at_);
}

int base_of(std::string_view& word) {
  if (word.size() > 2 && word[0] == '0' && (word[1] == 'x' || word[1] == 'X')) {
    word.remove_prefix(2);
    return 16;
  }
  if (word.size() > 2 && word[0] == '0' && (word[1] == 'b' || word[1] == 'B')) {
    word.remove_prefix(2);
    return 2;
  }
  return word.size() > 1 && word[0] == '0' ? 8 : 10;
}

Result<Token> Lexer::number() {
  Token token = token_here(TokenKind::Number);
  const std::string_view whole = word();
  std::string_view digits = whole;
  const int base = base_of(digits);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), token.number, base);
  if (error == std::errc::result_out_of_range)
    return fault_at(token.column, "number " + std::string(whole) + " does not fit into 64 bits");
  if (error != std::errc{})
    return fault_at(token.column, std::string(whole) + " is not a number");
  const auto used = static_cast<std::size_t>(end - digits.data());
  TRY(suffix(digits.substr(used), token));
  // As in C: a decimal number that the signed type cannot hold gets a wider one, a hexadecimal one goes unsigned.
  constexpr std::uint64_t kMaxInt = std::numeric_limits<std::int32_t>::max();
  constexpr std::uint64_t kMaxUnsigned = std::numeric_limits<std::uint32_t>::max();
  constexpr std::uint64_t kMaxLong = std::numeric_limits<std::int64_t>::max();
  if (token.number > kMaxUnsigned || (token.number > kMaxInt && base == 10 && !token.is_unsigned))
    token.is_long = true;
  if (token.number > (token.is_long ? kMaxLong : kMaxInt))
    token.is_unsigned = true;
  at_ += whole.size();
  return token;
}

Result<> Lexer::suffix(std::string_view word, Token& token) const {
  if (std::ranges::count_if(word, [](char c) { return c == 'u' || c == 'U'; }) > 1 || word.size() > 3)
    return fault_at(token.column, "'" + std::string(word) + "' is no ending of a number");
  for (const char c : word) {
    if (c == 'u' || c == 'U')
      token.is_unsigned = true;
    else if (c == 'l' || c == 'L')
      token.is_long = true;
    else
      return fault_at(token.column, "'" + std::string(word) + "' is no ending of a number");
  }
  return {};
}

Result<Token> Lexer::character() {
  Token token = token_here(TokenKind::Number);
  ++at_;
  // As on the kernel's x86: char is signed.
  const auto value = static_cast<signed char>(TRY(one_character('\'')));
  token.number = static_cast<std::uint64_t>(static_cast<std::int64_t>(value));
  if (at_ == text_.size() || text_[at_] != '\'')
    return fault_at(token.column, "a character constant is one character between quotes");
  ++at_;
  return token;
}

Result<Token> Lexer::string() {
  Token token = token_here(TokenKind::Text);
  for (++at_; at_ < text_.size() && text_[at_] != '"';) {
    const char c = TRY(one_character('"'));
    if (c == '\0')
      return fault_at(token.column, "a string ends at its first zero byte: leave it out");
    token.text += c;
  }
  if (at_ == text_.size())
    return fault_at(token.column, "this string does not end: add a '\"'");
  ++at_;
  return token;
}

Result<char> Lexer::one_character(char quote) {
  if (at_ == text_.size() || text_[at_] == quote)
    return fault_at(at_ + 1, "here a character is missing");
  if (text_[at_] != '\\')
    return text_[at_++];
  ++at_;
  return escaped();
}

Result<char> Lexer::escaped() {
  const std::size_t column = at_;
  const char c = at_ < text_.size() ? text_[at_++] : '\0';
  switch (c) {
    case 'n': return '\n';
    case 't': return '\t';
    case 'r': return '\r';
    case '0': return '\0';
    case 'x': return hexadecimal();
    case '\\':
    case '\'':
    case '"': return c;
    default: return fault_at(column, "of escapes there are \\n, \\t, \\r, \\0, \\xHH, \\\\, \\' and \\\"");
  }
}

Result<char> Lexer::hexadecimal() {
  unsigned value = 0;
  const auto digits = text_.substr(at_, 2);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  if (error != std::errc{} || end != digits.data() + 2)
    return fault_at(at_ + 1, "\\x takes two hexadecimal digits");
  at_ += 2;
  return static_cast<char>(value);
}

Result<Token> Lexer::symbol() {
  Token token = token_here(TokenKind::Symbol);
  const auto rest = text_.substr(at_);
  const auto found = std::ranges::find_if(kSymbols, [&](std::string_view symbol) { return rest.starts_with(symbol); });
  if (found != kSymbols.end()) {
    token.text = *found;
  } else if (rest.front() == '=') {
    // Nothing can be assigned here, and pwru takes it for a comparison.
    token.text = "==";
    ++at_;
    return token;
  } else if (rest.front() == '?') {
    return fault_at(token.column, "there is no ?: here; write the condition with && and ||");
  } else {
    return fault_at(token.column, shown(rest.front()) + " has no meaning in an expression");
  }
  at_ += token.text.size();
  return token;
}

}  // namespace

Error fault_at(std::size_t column, const std::string& what) {
  return refuse(EINVAL, "column " + std::to_string(column) + ": " + what);
}

Result<std::vector<Token>> split_expression(std::string_view expression) {
  return Lexer{expression}.run();
}

}  // namespace skbtrail
