#include "kernel/drop_locations.h"

#include <malloc.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "kernel/kallsyms.h"

namespace skbtrail {
namespace {

std::string hexadecimal(std::uint64_t address) {
  std::array<char, 18> digits{'0', 'x'};
  const auto [end, err] = std::to_chars(digits.data() + 2, digits.data() + digits.size(), address, 16);
  return {digits.data(), end};
}

}  // namespace

Result<> DropLocations::learn(std::span<const std::uint64_t> addresses) {
  const auto is_known = [&](std::uint64_t address) { return known_.contains(address); };
  if (known_.size() >= kMost || std::ranges::all_of(addresses, is_known))
    return {};
  {
    const Kallsyms symbols = TRY(Kallsyms::read(host_));
    for (const std::uint64_t address : addresses)
      if (known_.size() < kMost)
        known_.try_emplace(address, symbols.resolve(address));
  }
  // The list was megabytes of small pieces; without this the heap would stay that large.
  (void)::malloc_trim(0);
  return {};
}

Symbol DropLocations::resolve(std::uint64_t address) const {
  const auto found = known_.find(address);
  return found != known_.end() ? found->second : Symbol{.name = hexadecimal(address), .offset = 0, .module = {}};
}

}  // namespace skbtrail
