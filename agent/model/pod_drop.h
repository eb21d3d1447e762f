#pragma once
// PodDrop: packets that a pod has lost, with the kernel's reason. Values only.

#include <cstdint>
#include <functional>
#include <string>

#include "model/pod.h"

namespace skbtrail {

struct PodDrop {
  const Pod& pod;  // of the caller, for the time of the call
  std::string reason;
  std::string subsystem;
  std::string location;  // kernel function
  std::uint64_t packets = 0;
};

// Hears of what pods lose. Must return at once.
using PodDropListener = std::function<void(const PodDrop&)>;

}  // namespace skbtrail
