#pragma once
// DropLocations: names for the few kernel addresses at which packets are dropped. Reads the kernel's list of symbols
// when it meets a new one, and does not keep it: a process that runs for months need not hold 10 MB for 50 names.

#include <cstdint>
#include <map>
#include <span>

#include "base/result.h"
#include "kernel/host_root.h"
#include "model/symbol.h"

namespace skbtrail {

// Used by one thread at a time.
class DropLocations final : public SymbolResolver {
public:
  // More addresses than kernel and modules have places that drop; later ones keep their number.
  static constexpr std::size_t kMost = 4096;

  explicit DropLocations(HostRoot host) : host_(std::move(host)) {}

  // Must come before resolve() for the same addresses; what was not learned resolves to its hexadecimal form.
  Result<> learn(std::span<const std::uint64_t> addresses);
  Symbol resolve(std::uint64_t address) const override;

private:
  HostRoot host_;
  std::map<std::uint64_t, Symbol> known_;
};

}  // namespace skbtrail
