#pragma once
// PodTotals: how many events of a trace have a pod, and why others have none.

#include <cstdint>

namespace skbtrail {

struct PodTotals {
  std::uint64_t named = 0;    // have a pod
  std::uint64_t waited = 0;   // of all: were held back for the index to learn their namespace
  std::uint64_t late = 0;     // have none: it was not learnt in time, or before the trace ended
  std::uint64_t crowded = 0;  // have none: more events waited than there was room for
  std::uint64_t strange = 0;  // have none: of a namespace that has proved to be no pod's
};

}  // namespace skbtrail
