#pragma once
// TraceTotals: what a trace delivered and lost; the source of the closing line on stderr.

#include <cstdint>
#include <string>

namespace skbtrail {

// hits == events + lost_ring + lost_budget, exactly. lost_tracking counts packets that were not followed.
struct TraceTotals {
  std::uint64_t packets = 0;
  std::uint64_t children = 0;      // copies, segments and fragments of those
  std::uint64_t packets_aged = 0;  // not seen for a minute and no longer followed
  std::uint64_t hits = 0;
  std::uint64_t events = 0;
  std::uint64_t lost_ring = 0;
  std::uint64_t lost_budget = 0;
  std::uint64_t lost_tracking = 0;
  std::uint64_t probes_attached = 0;
  std::uint64_t probes_rejected = 0;
  std::string backend;

  std::uint64_t lost() const { return lost_ring + lost_budget + lost_tracking; }
};

}  // namespace skbtrail
