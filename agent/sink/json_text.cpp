#include "sink/json_text.h"

#include <algorithm>
#include <cstddef>

namespace skbtrail {

namespace {

bool is_plain(unsigned char byte) {
  return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
}

bool continues(std::string_view text, std::size_t at) {
  return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80;
}

// Length of the valid UTF-8 sequence of two to four bytes at the start of `text`; 0: there is none.
std::size_t sequence_length(std::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  const auto second = text.size() > 1 ? static_cast<unsigned char>(text[1]) : 0;
  if (first >= 0xc2 && first <= 0xdf)
    return continues(text, 1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const bool overlong = first == 0xe0 && second < 0xa0;
    const bool surrogate = first == 0xed && second > 0x9f;
    return !overlong && !surrogate && continues(text, 1) && continues(text, 2) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const bool overlong = first == 0xf0 && second < 0x90;
    const bool too_big = first == 0xf4 && second > 0x8f;
    return !overlong && !too_big && continues(text, 1) && continues(text, 2) && continues(text, 3) ? 4 : 0;
  }
  return 0;
}

// Writes what stands at the start of `text` and is not plain; returns how many bytes of it that was.
std::size_t put_special(TextBuffer& out, std::string_view text) {
  const auto byte = static_cast<unsigned char>(text[0]);
  if (byte == '"' || byte == '\\') {
    out.put('\\');
    out.put(text[0]);
    return 1;
  }
  if (byte < 0x80) {
    out.put("\\u");
    out.put_hex(byte, 4);
    return 1;
  }
  const std::size_t length = sequence_length(text);
  if (length == 0) {
    out.put("\\ufffd");
    return 1;
  }
  out.put(text.substr(0, length));
  return length;
}

}  // namespace

bool is_plain_json(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char byte) { return is_plain(static_cast<unsigned char>(byte)); });
}

void put_json_string(TextBuffer& out, std::string_view text) {
  out.put('"');
  while (!text.empty()) {
    std::size_t plain = 0;
    while (plain < text.size() && is_plain(static_cast<unsigned char>(text[plain])))
      ++plain;
    out.put(text.substr(0, plain));
    text.remove_prefix(plain);
    if (!text.empty())
      text.remove_prefix(put_special(out, text));
  }
  out.put('"');
}

}  // namespace skbtrail
