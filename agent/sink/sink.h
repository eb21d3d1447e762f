#pragma once
// Sink: where events end. accept() never blocks on a peer and never throws: a slow sink counts its own losses.

#include "base/result.h"
#include "model/packet_event.h"
#include "model/trace_totals.h"

namespace skbtrail {

class Sink {
public:
  virtual ~Sink() = default;
  virtual void accept(const PacketEvent& event) = 0;
  virtual void accept(const LossEvent& loss) = 0;
  // End of one batch of events: what is buffered goes out. The first write error is returned and sticks.
  virtual Result<> flush() = 0;
  // End of the trace, once: whoever speaks only at the end does so now.
  virtual Result<> finish() { return flush(); }
};

}  // namespace skbtrail
