#include "app/units.h"

#include <array>
#include <charconv>
#include <limits>
#include <optional>

namespace skbtrail {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr std::array kTimes = {
    Unit{"", 1'000'000'000U},
    Unit{"ns", 1},
    Unit{"us", 1'000U},
    Unit{"ms", 1'000'000U},
    Unit{"s", 1'000'000'000U},
    Unit{"m", 60'000'000'000U},
    Unit{"h", 3'600'000'000'000U},
};
constexpr std::array kSizes = {Unit{"", 1}, Unit{"K", 1U << 10}, Unit{"M", 1U << 20}, Unit{"G", 1U << 30}};

// A whole number and one of the units; nothing for anything else and for what does not fit.
template <class Units>
std::optional<std::uint64_t> parse_with_unit(std::string_view text, const Units& units) {
  std::uint64_t number = 0;
  const auto [end, err] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (err != std::errc{})
    return std::nullopt;
  const std::string_view rest = text.substr(static_cast<std::size_t>(end - text.data()));
  for (const auto& unit : units)
    if (unit.name == rest && number <= std::numeric_limits<std::int64_t>::max() / unit.factor)
      return number * unit.factor;
  return std::nullopt;
}

std::optional<std::uint32_t> parse_word(std::string_view text) {
  const bool hex = text.starts_with("0x") || text.starts_with("0X");
  if (hex)
    text.remove_prefix(2);
  std::uint32_t word = 0;
  const auto [end, err] = std::from_chars(text.data(), text.data() + text.size(), word, hex ? 16 : 10);
  if (err != std::errc{} || end != text.data() + text.size())
    return std::nullopt;
  return word;
}

}  // namespace

Result<std::chrono::nanoseconds> parse_duration(std::string_view text) {
  const auto time = parse_with_unit(text, kTimes);
  if (!time)
    return refuse(EINVAL, "duration '" + std::string(text) + "': write a whole number and ms, s, m or h, such as 30s");
  return std::chrono::nanoseconds(*time);
}

Result<std::uint64_t> parse_size(std::string_view text) {
  const auto size = parse_with_unit(text, kSizes);
  if (!size)
    return refuse(EINVAL, "size '" + std::string(text) + "': write a whole number and K, M or G, such as 16M");
  return *size;
}

Result<MarkFilter> parse_mark(std::string_view text) {
  const auto slash = text.find('/');
  const auto value = parse_word(text.substr(0, slash));
  const auto mask = slash == std::string_view::npos ? std::optional(UINT32_MAX) : parse_word(text.substr(slash + 1));
  if (!value || !mask || *mask == 0)
    return refuse(EINVAL, "mark '" + std::string(text) +
                              "': write MARK or MARK/MASK with a mask other than 0, such as 0x10/0xff");
  return MarkFilter{.value = *value & *mask, .mask = *mask};
}

}  // namespace skbtrail
