#pragma once
// Names for what the kernel gives as numbers, and who looks them up. The implementations live in kernel/.

#include <array>
#include <charconv>
#include <cstdint>
#include <string>

namespace skbtrail {

// A kernel address as people read it.
struct Symbol {
  std::string name;          // "0xffffffff81234567" when kallsyms does not know it
  std::uint64_t offset = 0;  // bytes into the function
  std::string module;        // empty: vmlinux
  friend bool operator==(const Symbol&, const Symbol&) = default;
};

// One that nobody has a name for.
inline Symbol unnamed_symbol(std::uint64_t address) {
  std::array<char, 18> digits{'0', 'x'};
  const auto [end, error] = std::to_chars(digits.data() + 2, digits.data() + digits.size(), address, 16);
  return {.name = {digits.data(), end}, .offset = 0, .module = {}};
}

struct DropReasonName {
  std::string name;       // "NETFILTER_DROP": without SKB_DROP_REASON_; "UNKNOWN_77" when no one names it
  std::string subsystem;  // "core", "mac80211_monitor", "openvswitch", ...
  friend bool operator==(const DropReasonName&, const DropReasonName&) = default;
};

// Total functions: what is unknown gets a name that says so.
class SymbolResolver {
public:
  virtual ~SymbolResolver() = default;
  virtual Symbol resolve(std::uint64_t address) const = 0;
};

class DropReasonNames {
public:
  virtual ~DropReasonNames() = default;
  virtual DropReasonName lookup(std::uint32_t reason) const = 0;
};

}  // namespace skbtrail
