#include "api/accept_header.h"

#include <algorithm>
#include <string>

#include "api/header_text.h"

namespace skbtrail {
namespace {

// Up to `mark`, which is taken away as well.
std::string_view take_until(std::string_view& text, char mark) {
  const auto end = std::min(text.find(mark), text.size());
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return trimmed(part);
}

bool same(std::string_view one, std::string_view other) {
  return std::ranges::equal(one, other, [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : int{a}) == (b >= 'A' && b <= 'Z' ? b - 'A' + 'a' : int{b});
  });
}

bool is_refused(std::string_view parameters) {
  while (!parameters.empty()) {
    const std::string_view one = take_until(parameters, ';');
    if (one.size() >= 3 && same(one.substr(0, 2), "q=") && one.find_first_not_of("0.", 2) == std::string_view::npos)
      return true;
  }
  return false;
}

bool covers(std::string_view wanted, std::string_view type, MediaRange range) {
  if (same(wanted, type))
    return true;
  if (range == MediaRange::Exact)
    return false;
  return wanted == "*/*" ||
         (wanted.ends_with("/*") && same(wanted.substr(0, wanted.size() - 1), type.substr(0, type.find('/') + 1)));
}

}  // namespace

bool accepts(std::string_view accept, std::string_view type, MediaRange range) {
  if (trimmed(accept).empty())
    return range == MediaRange::Wildcard;
  while (!accept.empty()) {
    std::string_view entry = take_until(accept, ',');
    const std::string_view wanted = take_until(entry, ';');
    if (covers(wanted, type, range) && !is_refused(entry))
      return true;
  }
  return false;
}

}  // namespace skbtrail
