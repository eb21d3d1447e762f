#include "monitor/softnet.h"

#include <charconv>
#include <string>
#include <vector>

namespace skbtrail {
namespace {

constexpr std::size_t kDropped = 1;
constexpr std::size_t kSqueezed = 2;
constexpr std::size_t kFlowLimit = 10;
constexpr std::size_t kFewest = 3;  // numbers of a line

Result<std::vector<std::uint64_t>> numbers_of(std::string_view line) {
  std::vector<std::uint64_t> numbers;
  for (const char *at = line.data(), *end = at + line.size(); at < end;) {
    if (*at == ' ') {
      ++at;
      continue;
    }
    std::uint64_t number = 0;
    const auto [next, err] = std::from_chars(at, end, number, 16);
    if (err != std::errc{})
      return refuse(EBADMSG, "read /proc/net/softnet_stat: '" + std::string(line) + "' is no line of numbers");
    numbers.push_back(number);
    at = next;
  }
  if (numbers.size() < kFewest)
    return refuse(EBADMSG, "read /proc/net/softnet_stat: '" + std::string(line) + "' has too few numbers");
  return numbers;
}

}  // namespace

Result<SoftnetCounts> parse_softnet(std::string_view text) {
  SoftnetCounts counts;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    const auto numbers = TRY(numbers_of(text.substr(0, end)));
    text.remove_prefix(std::min(end + 1, text.size()));
    counts.dropped += numbers[kDropped];
    counts.squeezed += numbers[kSqueezed];
    counts.flow_limit += numbers.size() > kFlowLimit ? numbers[kFlowLimit] : 0;
  }
  return counts;
}

}  // namespace skbtrail
