#pragma once
// Words of HTTP headers.

#include <algorithm>
#include <string>
#include <string_view>

namespace skbtrail {

// In ASCII's small letters.
inline std::string lowered(std::string_view text) {
  std::string low(text);
  for (char& letter : low)
    if (letter >= 'A' && letter <= 'Z')
      letter = static_cast<char>(letter - 'A' + 'a');
  return low;
}

// Without blanks around it.
inline std::string_view trimmed(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  return text.substr(0, text.find_last_not_of(" \t") + 1);
}

}  // namespace skbtrail
