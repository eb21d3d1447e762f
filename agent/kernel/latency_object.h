#pragma once
// LatencyObject: the programs that time packets from stage to stage. Loaded for as long as it lives, attached in
// slices.

#include <linux/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "kernel/host_root.h"
#include "kernel/program_runs.h"
#include "latency_abi.h"

struct latency_bpf;

namespace skbtrail {

// One row of the table of times, over all CPUs.
struct LatencyRow {
  latency_key key{};
  latency_times times{};
};

// Which part of a packet's way is timed: out of a pod (stages transmit, qdisc, wire), into one (receive, socket), or
// both.
enum class TimedWay : std::uint8_t { Both, Out, In };

// Used by one thread at a time.
class LatencyObject final {
public:
  // ENOTSUP: the kernel publishes no types. EPERM: it does not let us. Other codes: the system's.
  static Result<LatencyObject> load(const HostRoot& host);

  LatencyObject(LatencyObject&&) noexcept;
  LatencyObject& operator=(LatencyObject&&) noexcept;
  ~LatencyObject();

  // Begins a slice: from now on one packet in `one_in`, a power of two, is timed on this way. A packet meets only the
  // programs of that way. All of them or nothing is attached.
  Result<> attach(TimedWay way, std::uint32_t one_in);
  // Ends it; does nothing between slices.
  void detach();
  bool is_attached() const;

  // What was timed since the last time. Between slices nothing is left out; within one, what is timed meanwhile may be.
  Result<std::vector<LatencyRow>> take();
  // Times that found no room in the table, since the object was loaded.
  Result<std::uint64_t> untold() const;
  // Whether the time until a packet is in its socket is told apart from its time in there (Linux 6.4).
  bool tells_delivery() const { return tells_delivery_; }

  // Zeros unless somebody enabled kernel.bpf_stats_enabled.
  std::vector<ProgramRuns> runs() const;

private:
  struct Destroy {
    void operator()(latency_bpf* raw) const;
  };
  LatencyObject(std::unique_ptr<latency_bpf, Destroy> raw, bool tells_delivery);

  std::unique_ptr<latency_bpf, Destroy> raw_;
  bool tells_delivery_;
};

}  // namespace skbtrail
