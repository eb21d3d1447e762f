#pragma once
// Sizes, times and marks as people write them on a command line.

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/trace_spec.h"

namespace skbtrail {

// "500ms", "60s", "5m", "1h"; a bare number is seconds.
Result<std::chrono::nanoseconds> parse_duration(std::string_view text);
// Bytes: "65536", "64K", "16M".
Result<std::uint64_t> parse_size(std::string_view text);
// pwru's "MARK[/MASK]", decimal or 0x; without a mask all bits count.
Result<MarkFilter> parse_mark(std::string_view text);

}  // namespace skbtrail
