#pragma once
// What a client takes, by its header Accept. Pure.

#include <cstdint>
#include <string_view>

namespace skbtrail {

enum class MediaRange : std::uint8_t {
  Exact,     // the type itself
  Wildcard,  // also by "*/*" or "application/*"
};

// Whether `accept` ("text/event-stream, application/*;q=0.5") takes `type` ("application/json"). An empty one takes
// everything, but names nothing. An entry with q=0 does not count.
bool accepts(std::string_view accept, std::string_view type, MediaRange range);

}  // namespace skbtrail
