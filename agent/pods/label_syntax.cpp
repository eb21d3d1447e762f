#include "pods/label_syntax.h"

#include <algorithm>

namespace skbtrail {
namespace {

constexpr std::size_t kMaxName = 63;     // of a label's name and of its value
constexpr std::size_t kMaxPrefix = 253;  // of a label's name: a DNS subdomain

bool is_small(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool is_alphanumeric(char c) {
  return is_small(c) || (c >= 'A' && c <= 'Z');
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kMaxName && is_alphanumeric(text.front()) && is_alphanumeric(text.back()) &&
         std::ranges::all_of(text, [](char c) { return is_alphanumeric(c) || c == '-' || c == '_' || c == '.'; });
}

bool is_part_of_subdomain(std::string_view text) {
  return !text.empty() && is_small(text.front()) && is_small(text.back()) &&
         std::ranges::all_of(text, [](char c) { return is_small(c) || c == '-'; });
}

}  // namespace

bool is_dns_label(std::string_view text) {
  return text.size() <= kMaxName && is_part_of_subdomain(text);
}

bool is_dns_subdomain(std::string_view text) {
  if (text.empty() || text.size() > kMaxPrefix)
    return false;
  for (;;) {
    const std::size_t dot = text.find('.');
    if (!is_part_of_subdomain(text.substr(0, dot)))
      return false;
    if (dot == std::string_view::npos)
      return true;
    text.remove_prefix(dot + 1);
  }
}

bool is_label_key(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos)
    return is_name(text);
  return is_dns_subdomain(text.substr(0, slash)) && is_name(text.substr(slash + 1));
}

bool is_label_value(std::string_view text) {
  return text.empty() || is_name(text);
}

}  // namespace skbtrail
