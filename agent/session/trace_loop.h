#pragma once
// TraceLoop: what happens to a record. Takes it from the ring, decodes it, holds it against the budget, hands it to
// the sink; beside that it keeps the books of losses, ages the table of packets and ends when it is time.

#include <chrono>
#include <cstdint>
#include <functional>

#include "base/result.h"
#include "base/stop.h"
#include "decode/decoder.h"
#include "decode/packet_history.h"
#include "kernel/attached_probes.h"
#include "kernel/followed_table.h"
#include "kernel/netns_names.h"
#include "kernel/record_ring.h"
#include "kernel/traced_programs.h"
#include "kernel/tracer_object.h"
#include "model/pod_totals.h"
#include "model/trace_totals.h"
#include "session/pod_stage.h"
#include "session/pod_watch.h"
#include "sink/sink.h"

namespace skbtrail {

// All 0: no bound.
struct TraceLimits {
  std::chrono::nanoseconds duration{0};
  std::uint64_t max_events = 0;
  std::uint64_t events_per_second = 0;
};

// What an event shows of its stack.
struct StackUse {
  bool caller = false;  // take the caller from the stack: fentry has no registers
  bool keep = true;     // false: the stack was only captured for the caller
};

struct TraceParts {
  TracerObject& tracer;
  AttachedProbes& probes;
  Decoder& decoder;
  Sink& sink;
  PodWatch* pods = nullptr;            // null: nobody asks for pods
  NetnsNames* netns_names = nullptr;   // null: nobody asks for them
  TracedPrograms* programs = nullptr;  // null: nobody asks for BPF programs
  // Ten times a second, and at the end; may be empty.
  std::function<void(const TraceTotals&)> on_totals = {};
};

// Runs on one thread.
class TraceLoop final {
public:
  // `on_progress` is called when tracing has begun, and then ten times a second until everything is attached.
  TraceLoop(TraceParts parts, TraceLimits limits, StackUse stack,
            std::function<void(const AttachProgress&)> on_progress);

  // Until `stop`, which it tells when the duration is over, a limit or an error. Detaches, drains and finishes the sink
  // in every case. The totals add up also after an error.
  Result<> run(Stop& stop);

  const TraceTotals& totals() const { return totals_; }
  const std::vector<BackgroundRemoval>& removals() const { return removals_; }

private:
  Result<> follow(Stop& stop);
  Result<> end(bool sound);
  Result<> settle(bool sound);
  Result<> drain(std::uint64_t until_ns);
  bool adds_up() const { return totals_.hits == totals_.events + totals_.lost_ring + totals_.lost_budget; }
  bool take(std::span<const std::byte> record);
  bool must_wait(std::span<const std::byte> record);
  void deliver(PacketEvent& event);
  std::string_view netns_name_of(const PacketEvent& event);
  Result<> follow_pods();
  Result<> release(PodStage::Patience patience);
  Result<> keep_house(std::uint64_t now_ns);
  void follow_clock();
  void tell_progress();
  Result<> report_losses();
  Result<> count_up();
  void tell_losses();
  void tell_loss(LossCause cause, std::uint64_t total, std::uint64_t& told);
  void refill(std::uint64_t now_ns);
  void give_back_budget();
  bool has_enough() const { return limits_.max_events > 0 && totals_.events >= limits_.max_events; }

  TraceParts parts_;
  TraceLimits limits_;
  StackUse stack_;
  std::function<void(const AttachProgress&)> on_progress_;
  FollowedTable followed_;
  PacketHistory history_;
  std::string pod_netns_;  // name of the event's namespace, when it is a pod's
  PacketEvent event_;
  std::unique_ptr<RecordRing> ring_;
  TraceTotals totals_;
  TraceTotals told_;               // losses that a loss event has told already
  std::uint64_t over_budget_ = 0;  // over max_events: arrived, not handed on
  std::uint64_t left_over_ = 0;    // taken from the ring too late, or undecodable: not handed on
  bool draining_late_ = false;     // what comes out of the ring now is left over
  std::uint64_t given_back_ = 0;   // budget of hits that the ring had no room for
  std::uint64_t batch_ = 0;
  std::uint64_t now_ns_ = 0;  // of this round
  std::uint64_t refilled_ns_ = 0;
  std::uint64_t house_kept_ns_ = 0;
  std::uint64_t aged_ns_ = 0;
  bool complete_told_ = false;
  Result<> broken_;  // a record that could not be decoded: ours or the kernel's fault, so we stop
  std::vector<BackgroundRemoval> removals_;
};

}  // namespace skbtrail
