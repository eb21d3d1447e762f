#include "pods/label_selector.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "pods/label_syntax.h"

namespace skbtrail {
namespace {

constexpr std::string_view kSpecial = "=!(),<>";

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

std::optional<std::int64_t> integer_of(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, err] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (err != std::errc{} || end != text.data() + text.size())
    return std::nullopt;
  return number;
}

}  // namespace

class LabelSelectorParser final {
public:
  explicit LabelSelectorParser(std::string_view text) : text_(text) {}

  Result<LabelSelector> parse() {
    LabelSelector selector;
    if (text_.size() > LabelSelector::kMaxLength)
      return refuse(EINVAL, "label selector: at most " + std::to_string(LabelSelector::kMaxLength) + " characters");
    selector.text_ = text_;
    skip_spaces();
    if (at_end())
      return selector;
    do {
      if (selector.requirements_.size() >= LabelSelector::kMaxRequirements)
        return wrong("at most " + std::to_string(LabelSelector::kMaxRequirements) + " requirements are allowed");
      selector.requirements_.push_back(TRY(requirement()));
    } while (takes(","));
    if (!at_end())
      return wrong("expected ',' or the end");
    return selector;
  }

private:
  using Operator = LabelSelector::Operator;
  using Requirement = LabelSelector::Requirement;

  Result<Requirement> requirement() {
    if (takes("!"))
      return Requirement{.key = TRY(key()), .op = Operator::Absent};
    Requirement read{.key = TRY(key())};
    if (at_end() || next_is(','))
      return read;
    TRY(read_operator(read));
    return read;
  }

  Result<> read_operator(Requirement& into) {
    if (takes("==") || takes("="))
      return read_value(into, Operator::In);
    if (takes("!="))
      return read_value(into, Operator::NotIn);
    if (takes(">"))
      return read_bound(into, Operator::Greater);
    if (takes("<"))
      return read_bound(into, Operator::Less);
    if (takes_word("in"))
      return read_values(into, Operator::In);
    if (takes_word("notin"))
      return read_values(into, Operator::NotIn);
    return wrong("expected =, ==, !=, in, notin, <, > or ','");
  }

  Result<> read_value(Requirement& into, Operator op) {
    into.op = op;
    into.values.push_back(TRY(value()));
    return {};
  }

  // "(a, b)"; an empty place between commas is the empty value, as in Kubernetes.
  Result<> read_values(Requirement& into, Operator op) {
    into.op = op;
    if (!takes("("))
      return wrong("expected '('");
    if (next_is(')'))
      return wrong("expected a value: 'in' and 'notin' need one at least");
    do {
      into.values.push_back(TRY(value()));
    } while (takes(","));
    if (!takes(")"))
      return wrong("expected ',' or ')'");
    return {};
  }

  Result<> read_bound(Requirement& into, Operator op) {
    const std::size_t start = at_;
    const auto bound = integer_of(word());
    if (!bound)
      return wrong_at(start, "expected a whole number");
    into.op = op;
    into.bound = *bound;
    return {};
  }

  Result<std::string> key() {
    const std::size_t start = at_;
    const std::string_view text = word();
    if (text.empty())
      return wrong_at(start, "expected the name of a label");
    if (!is_label_key(text))
      return wrong_at(start, "'" + std::string(text.substr(0, 80)) +
                                 "' is no name of a label: [prefix/]name, at most 63 letters, digits, '-', '_' and "
                                 "'.', with a letter or digit at both ends");
    return std::string(text);
  }

  Result<std::string> value() {
    const std::size_t start = at_;
    const std::string_view text = word();
    if (!is_label_value(text))
      return wrong_at(start, "'" + std::string(text.substr(0, 80)) +
                                 "' is no value of a label: at most 63 letters, digits, '-', '_' and '.', with a "
                                 "letter or digit at both ends");
    return std::string(text);
  }

  bool at_end() const { return at_ >= text_.size(); }
  bool next_is(char c) const { return !at_end() && text_[at_] == c; }

  void skip_spaces() {
    while (!at_end() && is_space(text_[at_]))
      ++at_;
  }

  bool takes(std::string_view symbol) {
    if (!text_.substr(at_).starts_with(symbol))
      return false;
    at_ += symbol.size();
    skip_spaces();
    return true;
  }

  bool takes_word(std::string_view wanted) {
    const std::size_t start = at_;
    if (word() == wanted)
      return true;
    at_ = start;
    return false;
  }

  // Up to a space or a symbol; the spaces behind it are taken too.
  std::string_view word() {
    const std::size_t start = at_;
    while (!at_end() && !is_space(text_[at_]) && kSpecial.find(text_[at_]) == std::string_view::npos)
      ++at_;
    const std::string_view found = text_.substr(start, at_ - start);
    skip_spaces();
    return found;
  }

  Error wrong(const std::string& what) const { return wrong_at(at_, what); }
  static Error wrong_at(std::size_t at, const std::string& what) {
    return refuse(EINVAL, "label selector: column " + std::to_string(at + 1) + ": " + what);
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

Result<LabelSelector> LabelSelector::parse(std::string_view text) {
  return LabelSelectorParser(text).parse();
}

bool LabelSelector::matches(const std::map<std::string, std::string>& labels) const {
  return std::ranges::all_of(requirements_, [&](const Requirement& one) { return meets(one, labels); });
}

bool LabelSelector::meets(const Requirement& requirement, const std::map<std::string, std::string>& labels) {
  const auto found = labels.find(requirement.key);
  const bool exists = found != labels.end();
  const auto is_one_of = [&] {
    return exists && std::ranges::find(requirement.values, found->second) != requirement.values.end();
  };
  const auto number = [&] { return exists ? integer_of(found->second) : std::nullopt; };
  switch (requirement.op) {
    case Operator::Exists: return exists;
    case Operator::Absent: return !exists;
    case Operator::In: return is_one_of();
    case Operator::NotIn: return !is_one_of();
    case Operator::Greater: return number() && *number() > requirement.bound;
    case Operator::Less: return number() && *number() < requirement.bound;
  }
  return false;
}

}  // namespace skbtrail
