#include "sink/closing_line.h"

namespace skbtrail {

std::string closing_line(const TraceTotals& totals) {
  const auto text = [](std::uint64_t number) { return std::to_string(number); };
  return "packets " + text(totals.packets) + ", events " + text(totals.events) + ", lost " + text(totals.lost()) +
         " (ring " + text(totals.lost_ring) + ", budget " + text(totals.lost_budget) + ", tracking " +
         text(totals.lost_tracking) + "), probes " + text(totals.probes_attached) + " attached / " +
         text(totals.probes_rejected) + " rejected, backend " + totals.backend;
}

}  // namespace skbtrail
