#include "kernel/drop_locations.h"

#include <malloc.h>

#include <algorithm>

#include "kernel/kallsyms.h"

namespace skbtrail {

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
  return found != known_.end() ? found->second : unnamed_symbol(address);
}

}  // namespace skbtrail
