#include "sink/closing_line.h"

#include <catch2/catch.hpp>

using namespace skbtrail;

TEST_CASE("the closing line has the form that scripts rely on") {
  TraceTotals totals;
  totals.packets = 3;
  totals.events = 71;
  totals.lost_ring = 2;
  totals.lost_budget = 3;
  totals.lost_tracking = 4;
  totals.probes_attached = 1493;
  totals.probes_rejected = 2;
  totals.backend = "kprobe.multi";
  CHECK(closing_line(totals) ==
        "packets 3, events 71, lost 9 (ring 2, budget 3, tracking 4), probes 1493 attached / 2 rejected, "
        "backend kprobe.multi");
}
