#include "kernel/function_filter.h"

#include <re2/re2.h>

#include <algorithm>
#include <string>
#include <utility>

namespace skbtrail {
namespace {

constexpr std::size_t kLongestPattern = 256;
// What one compiled pattern may take; RE2 refuses those that would grow beyond.
constexpr std::int64_t kMemoryLimit = 1 << 20;

bool is_control(char c) {
  return static_cast<unsigned char>(c) < ' ' || c == '\x7f';
}

re2::StringPiece piece(std::string_view text) {
  return {text.data(), text.size()};
}

}  // namespace

FunctionFilter::FunctionFilter(std::unique_ptr<re2::RE2> pattern, Anchoring anchoring)
    : pattern_(std::move(pattern)), anchoring_(anchoring) {}
FunctionFilter::FunctionFilter(FunctionFilter&&) noexcept = default;
FunctionFilter& FunctionFilter::operator=(FunctionFilter&&) noexcept = default;
FunctionFilter::~FunctionFilter() = default;

Result<FunctionFilter> FunctionFilter::compile(std::string_view pattern, Anchoring anchoring) {
  if (pattern.empty())
    return refuse(EINVAL, "function pattern is empty");
  if (pattern.size() > kLongestPattern)
    return refuse(EINVAL, "function pattern is longer than 256 characters");
  if (std::ranges::any_of(pattern, is_control))
    return refuse(EINVAL, "function pattern has a control character in it");
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kMemoryLimit);
  auto compiled = std::make_unique<re2::RE2>(piece(pattern), options);
  if (!compiled->ok())
    return refuse(EINVAL, "function pattern '" + std::string(pattern) + "': " + compiled->error());
  return FunctionFilter{std::move(compiled), anchoring};
}

bool FunctionFilter::matches(std::string_view name) const {
  return anchoring_ == Anchoring::Whole ? re2::RE2::FullMatch(piece(name), *pattern_)
                                        : re2::RE2::PartialMatch(piece(name), *pattern_);
}

}  // namespace skbtrail
