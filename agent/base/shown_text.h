#pragma once
// What somebody else has sent, as a message shows it: bounded, and never cut within a letter. Pure.

#include <cstddef>
#include <string>
#include <string_view>

namespace skbtrail {

// At most so many bytes of `text` from its start, ended between two letters of UTF-8. Of text that is none, as many.
inline std::string_view cut_text(std::string_view text, std::size_t most_bytes) {
  if (text.size() <= most_bytes)
    return text;
  const auto goes_on = [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U; };
  std::size_t end = most_bytes;
  // A letter has four bytes at most.
  while (end > 0 && most_bytes - end < 3 && goes_on(text[end]))
    --end;
  return text.substr(0, goes_on(text[end]) ? most_bytes : end);
}

inline std::string in_quotes(std::string_view text) {
  constexpr std::size_t kShown = 64;
  return "'" + std::string(cut_text(text, kShown)) + (text.size() > kShown ? "…'" : "'");
}

}  // namespace skbtrail
