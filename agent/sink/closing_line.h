#pragma once
// closing_line: the last line of a trace on stderr. Scripts read it; its form is fixed.

#include <string>

#include "model/trace_totals.h"

namespace skbtrail {

// "packets 3, events 71, lost 2 (ring 2, budget 0, tracking 0), probes 1493 attached / 2 rejected, backend
// kprobe.multi"
std::string closing_line(const TraceTotals& totals);

}  // namespace skbtrail
