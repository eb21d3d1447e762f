#include "app/yaml_text.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/json_value.h"

namespace skbtrail {
namespace {

using Json = nlohmann::ordered_json;

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_plain_character(char c) {
  return is_letter(c) || (c >= '0' && c <= '9') || std::string_view(" ._/-()").find(c) != std::string_view::npos;
}

// Words that some reader of YAML takes for a boolean or for nothing.
bool is_reserved(std::string_view text) {
  constexpr std::array<std::string_view, 9> kWords{"true", "false", "null", "yes", "no", "on", "off", "y", "n"};
  return std::ranges::any_of(kWords, [&](std::string_view word) {
    return std::ranges::equal(word, text, [](char a, char b) { return a == (is_letter(b) ? b | 0x20 : b); });
  });
}

std::string scalar_text(const Json& value) {
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    if (!text.empty() && is_letter(text.front()) && text.back() != ' ' && !is_reserved(text) &&
        std::ranges::all_of(text, is_plain_character))
      return text;
  }
  return json_text(value);  // a scalar of JSON is one of YAML
}

bool is_nested(const Json& value) {
  return value.is_structured() && !value.empty();
}

void put(std::string& text, const Json& value, std::size_t indent);

// Behind "key:" or "-".
void put_behind(std::string& text, const Json& value, std::size_t indent) {
  if (is_nested(value)) {
    text += '\n';
    put(text, value, indent);
  } else {
    text += " " + scalar_text(value) + "\n";
  }
}

// The first line of an item stands behind its dash.
void put_item(std::string& text, const Json& item, std::size_t indent) {
  const std::string dash = std::string(indent, ' ') + "- ";
  if (!is_nested(item)) {
    text += dash + scalar_text(item) + "\n";
    return;
  }
  std::string inner;
  put(inner, item, indent + 2);
  text += dash + inner.substr(indent + 2);
}

void put(std::string& text, const Json& value, std::size_t indent) {
  if (value.is_array()) {
    for (const auto& item : value)
      put_item(text, item, indent);
    return;
  }
  for (const auto& [key, member] : value.items()) {
    text += std::string(indent, ' ') + scalar_text(key) + ":";
    put_behind(text, member, member.is_array() ? indent : indent + 2);
  }
}

}  // namespace

std::string yaml_text(const Json& value) {
  if (!is_nested(value))
    return scalar_text(value) + "\n";
  std::string text;
  put(text, value, 0);
  return text;
}

}  // namespace skbtrail
