#pragma once
// Strings as JSON.

#include <string_view>

#include "sink/text_buffer.h"

namespace skbtrail {

// `text` in quotes. The result is always valid UTF-8 JSON: control characters are escaped, and a byte that is not
// part of valid UTF-8 becomes the escape of U+FFFD.
void put_json_string(TextBuffer& out, std::string_view text);

// In quotes, or null for an empty string: an empty name is an unknown one.
inline void put_json_name(TextBuffer& out, std::string_view text) {
  if (text.empty())
    out.put("null");
  else
    put_json_string(out, text);
}

// Whether `text` stands in JSON as it is: printable ASCII without quote and backslash.
bool is_plain_json(std::string_view text);

}  // namespace skbtrail
