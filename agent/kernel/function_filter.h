#pragma once
// FunctionFilter: a regular expression over function names, as RE2 reads it: the time to match is in proportion to
// the name, whatever the pattern is.

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/result.h"

namespace re2 {
class RE2;
}

namespace skbtrail {

enum class Anchoring : std::uint8_t {
  Whole,     // the pattern describes the whole name, as pwru's --filter-func does
  Anywhere,  // it may match any part of it; ^ and $ are the user's
};

// Shared freely between threads.
class FunctionFilter final {
public:
  // EINVAL: empty, longer than 256 characters, or not a regular expression; the message has pattern and cause.
  static Result<FunctionFilter> compile(std::string_view pattern, Anchoring anchoring);

  FunctionFilter(FunctionFilter&&) noexcept;
  FunctionFilter& operator=(FunctionFilter&&) noexcept;
  ~FunctionFilter();

  bool matches(std::string_view name) const;

private:
  FunctionFilter(std::unique_ptr<re2::RE2> pattern, Anchoring anchoring);

  std::unique_ptr<re2::RE2> pattern_;
  Anchoring anchoring_;
};

}  // namespace skbtrail
