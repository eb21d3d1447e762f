#pragma once
// How a message names what the user wrote: in one line that is not too long.

#include <algorithm>
#include <string>
#include <string_view>

#include "base/shown_text.h"

namespace skbtrail {

// Bytes that a terminal might take for commands would tear the one-line message apart.
inline std::string printable(std::string_view text) {
  std::string line{text};
  std::ranges::replace_if(
      line, [](unsigned char c) { return c < ' ' || c == 0x7f; }, ' ');
  return line;
}

// "pcap filter 'tcp port 80'".
inline std::string quoted_expression(std::string_view kind, std::string_view expression) {
  constexpr std::size_t kShown = 80;
  const char* end = expression.size() > kShown ? "…'" : "'";
  return std::string(kind) + " '" + printable(cut_text(expression, kShown)) + end;
}

}  // namespace skbtrail
