#pragma once
// InterfaceMemory: the interfaces that are there, and those that were until a moment ago: late drops at the host's end
// of a deleted pod's link still belong to it. The kernel does not give an index again soon.

#include <chrono>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "pods/facts.h"

namespace skbtrail {

class InterfaceMemory final {
public:
  static constexpr std::chrono::seconds kKeep{60};
  static constexpr std::size_t kMaxGone = 4'096;  // beyond it, what goes is forgotten at once

  // `present` replaces what was there.
  void set(std::vector<Interface> present, std::chrono::steady_clock::time_point now);
  // Whether something was forgotten.
  bool expire(std::chrono::steady_clock::time_point now);
  // Present ones first.
  std::vector<Interface> all() const;

private:
  using Key = std::pair<std::uint32_t, std::uint32_t>;  // namespace, index
  struct Gone {
    Interface interface;
    std::chrono::steady_clock::time_point since;
  };

  std::map<Key, Interface> present_;
  std::map<Key, Gone> gone_;
};

}  // namespace skbtrail
