#include "session/trace_loop.h"

#include <poll.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <utility>

#include "base/clock.h"
#include "session/stack_trim.h"

namespace skbtrail {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kHouseEvery = std::chrono::nanoseconds(100ms).count();
// New BPF programs that one round takes in: each costs the kernel some milliseconds, while the ring fills.
constexpr std::size_t kProgramsAtOnce = 2;
// Less is the noise of two readings: both clocks are slewed together.
constexpr std::int64_t kClockWasSet = std::chrono::nanoseconds(50ms).count();
constexpr std::uint64_t kAgeEvery = std::chrono::nanoseconds(1s).count();
// The ring wakes nobody for a few records, so this bounds how late they are shown.
constexpr int kIdleMilliseconds = 5;
// Records between two looks at clock and stop flag.
constexpr std::uint64_t kBatch = 1024;
// A full ring takes seconds to write. Whoever asked for the end should not wait for them: what is then left is lost.
constexpr std::uint64_t kDrainAtMost = std::chrono::nanoseconds(400ms).count();
// Probes that started before tracing went off have long finished by then.
constexpr int kSettleMilliseconds = 20;
// Unless something kept their CPU from running them.
constexpr int kSettleAtMostMilliseconds = 500;

}  // namespace

TraceLoop::TraceLoop(TraceParts parts, TraceLimits limits, StackUse stack,
                     std::function<void(const AttachProgress&)> on_progress)
    : parts_(std::move(parts)),
      limits_(limits),
      stack_(stack),
      on_progress_(std::move(on_progress)),
      followed_(parts_.tracer) {}

Result<> TraceLoop::run(Stop& stop) {
  const auto followed = follow(stop);
  const auto ended = end(static_cast<bool>(followed));
  return followed ? ended : followed;
}

Result<> TraceLoop::follow(Stop& stop) {
  ring_ = TRY(RecordRing::open(parts_.tracer.ring_fd(), [this](auto record) { return take(record); }));
  refilled_ns_ = aged_ns_ = monotonic_ns();
  if (limits_.duration.count() > 0)
    stop.end_at(aged_ns_ + static_cast<std::uint64_t>(limits_.duration.count()));
  if (limits_.events_per_second == 0 && limits_.max_events > 0)
    parts_.tracer.refill_budget(std::numeric_limits<std::int64_t>::max(),
                                static_cast<std::int64_t>(limits_.max_events));
  refilled_ns_ -= std::chrono::nanoseconds(1s).count();
  parts_.tracer.set_tracing(true);
  tell_progress();
  for (std::uint64_t now = monotonic_ns(); !stop.is_due(now) && !has_enough(); now = monotonic_ns()) {
    now_ns_ = now;
    refill(now);
    TRY(follow_pods());
    batch_ = 0;
    const bool any = TRY(ring_->consume());
    TRY(std::exchange(broken_, {}));
    TRY(parts_.sink.flush());
    if (now - house_kept_ns_ >= kHouseEvery)
      TRY(keep_house(now));
    if (!any)
      ::poll(nullptr, 0, kIdleMilliseconds);
  }
  return {};
}

// Off first, so that nothing costs any more; then the probes; then what they left in the ring.
Result<> TraceLoop::end(bool sound) {
  parts_.tracer.set_tracing(false);
  (void)parts_.probes.poll();
  totals_.probes_attached = parts_.probes.progress().attached;
  totals_.probes_rejected = parts_.probes.progress().refused.size();
  if (parts_.programs) {
    totals_.probes_attached += parts_.programs->attached();
    totals_.probes_rejected += parts_.programs->refused();
    parts_.programs->detach();
  }
  removals_ = parts_.probes.detach();
  auto drained = settle(sound);
  auto finished = parts_.sink.finish();
  return drained ? finished : drained;
}

// Takes what is left and closes the books: every hit was handed on or counted as lost. After an error there may be
// nobody to hand anything to.
Result<> TraceLoop::settle(bool sound) {
  const std::uint64_t until_ns = sound ? monotonic_ns() + kDrainAtMost : 0;
  for (int waited = 0; waited < kSettleAtMostMilliseconds; waited += kSettleMilliseconds) {
    ::poll(nullptr, 0, kSettleMilliseconds);
    auto drained = drain(until_ns);
    // Nobody takes what is still there; it has to be counted all the same.
    if (!drained)
      (void)drain(0);
    auto counted = count_up();
    if (!drained || !counted) {
      tell_losses();
      return drained ? counted : drained;
    }
    if (adds_up())
      break;
  }
  tell_losses();
  if (sound && !adds_up())
    return refuse(EPROTO, "of " + std::to_string(totals_.hits) + " hits " + std::to_string(totals_.events) +
                              " were written and " + std::to_string(totals_.lost_ring + totals_.lost_budget) +
                              " counted as lost, which does not add up: please report this");
  return {};
}

Result<> TraceLoop::drain(std::uint64_t until_ns) {
  for (bool more = ring_ != nullptr; more;) {
    draining_late_ = monotonic_ns() >= until_ns;
    batch_ = 0;
    more = TRY(ring_->consume());
    TRY(std::exchange(broken_, {}));
  }
  return release(PodStage::Patience::Ending);
}

bool TraceLoop::take(std::span<const std::byte> record) {
  if (has_enough()) {
    ++over_budget_;
    return true;
  }
  if (draining_late_) {
    ++left_over_;
    return true;
  }
  if (parts_.pods && parts_.pods->stage().is_full())
    broken_ = release(PodStage::Patience::Crowded);
  if (!broken_) {
    ++left_over_;
    return false;
  }
  if (auto decoded = parts_.decoder.decode(record, event_); !decoded) {
    broken_ = std::move(decoded);
    ++left_over_;
    return false;
  }
  if (!must_wait(record))
    deliver(event_);
  return ++batch_ < kBatch;
}

bool TraceLoop::must_wait(std::span<const std::byte> record) {
  return parts_.pods && !parts_.pods->stage().admit(event_, record, now_ns_);
}

void TraceLoop::deliver(PacketEvent& event) {
  if (has_enough()) {
    ++over_budget_;
    return;
  }
  if (draining_late_) {
    ++left_over_;
    return;
  }
  event.sequence = ++totals_.events;
  event.delta_ns = history_.since_last(event.packet, event.monotonic_ns);
  event.netns_name = netns_name_of(event);
  trim_stack(event, stack_);
  parts_.sink.accept(event);
}

// A pod's namespace goes by the name of the pod: its runtime named the file after a random number.
std::string_view TraceLoop::netns_name_of(const PacketEvent& event) {
  if (!parts_.netns_names || !event.netns)
    return {};
  const Pod* const pod = event.pod.side == PodSide::Inside ? event.pod.pod : nullptr;
  if (!pod || pod->host_network)
    return parts_.netns_names->name_of(*event.netns, now_ns_);
  pod_netns_ = pod->namespace_name;
  pod_netns_ += '/';
  pod_netns_ += pod->name;
  return pod_netns_;
}

Result<> TraceLoop::follow_pods() {
  if (!parts_.pods)
    return {};
  TRY(parts_.pods->follow(parts_.tracer));
  return release(PodStage::Patience::Usual);
}

// Of the events that wait for the name of their pod.
Result<> TraceLoop::release(PodStage::Patience patience) {
  if (!parts_.pods || parts_.pods->stage().is_empty())
    return {};
  const PodStage::Way way{
      .decode = [this](std::span<const std::byte> record,
                       PacketEvent& event) { return parts_.decoder.decode(record, event); },
      .deliver = [this](PacketEvent& event) { deliver(event); },
  };
  return parts_.pods->stage().release(patience, now_ns_, event_, way);
}

Result<> TraceLoop::keep_house(std::uint64_t now_ns) {
  house_kept_ns_ = now_ns;
  follow_clock();
  TRY(parts_.probes.poll());
  if (parts_.programs)
    TRY(parts_.programs->poll(kProgramsAtOnce));
  if (!complete_told_)
    tell_progress();
  TRY(report_losses());
  if (now_ns - aged_ns_ < kAgeEvery || parts_.tracer.followed_now() == 0)
    return {};
  aged_ns_ = now_ns;
  totals_.packets_aged += TRY(followed_.age(now_ns));
  return {};
}

// Events have the wall clock's time also after somebody has set it.
void TraceLoop::follow_clock() {
  const std::int64_t offset = realtime_offset_ns();
  if (std::abs(offset - parts_.decoder.realtime_offset()) >= kClockWasSet)
    parts_.decoder.set_realtime_offset(offset);
}

void TraceLoop::tell_progress() {
  const auto& progress = parts_.probes.progress();
  complete_told_ = progress.complete;
  on_progress_(progress);
}

Result<> TraceLoop::report_losses() {
  TRY(count_up());
  tell_losses();
  return {};
}

Result<> TraceLoop::count_up() {
  const auto kernel = TRY(parts_.tracer.totals());
  totals_.packets = kernel.packets;
  totals_.children = kernel.children;
  totals_.hits = kernel.hits;
  totals_.lost_ring = kernel.lost_ring + left_over_;
  totals_.lost_tracking = kernel.lost_tracking;
  totals_.lost_budget = kernel.lost_budget + over_budget_;
  give_back_budget();
  if (parts_.on_totals)
    parts_.on_totals(totals_);
  return {};
}

void TraceLoop::tell_losses() {
  tell_loss(LossCause::Ring, totals_.lost_ring, told_.lost_ring);
  tell_loss(LossCause::Tracking, totals_.lost_tracking, told_.lost_tracking);
  tell_loss(LossCause::Budget, totals_.lost_budget, told_.lost_budget);
}

// Without a rate the budget is all the events that were asked for. Hits that the ring had no room for have used some
// up, and the trace would wait for ever for the events that are then missing.
void TraceLoop::give_back_budget() {
  if (limits_.events_per_second > 0 || limits_.max_events == 0)
    return;
  const auto lost = totals_.lost_ring - given_back_;
  given_back_ = totals_.lost_ring;
  parts_.tracer.refill_budget(static_cast<std::int64_t>(lost), static_cast<std::int64_t>(limits_.max_events));
}

void TraceLoop::tell_loss(LossCause cause, std::uint64_t total, std::uint64_t& told) {
  if (total == told)
    return;
  parts_.sink.accept(LossEvent{.realtime_ns = realtime_ns(), .cause = cause, .count = total - told});
  told = total;
}

// A second may be saved up: packets come in bursts, and one connection has all its events within milliseconds.
void TraceLoop::refill(std::uint64_t now_ns) {
  const double rate = static_cast<double>(limits_.events_per_second);
  const auto hits = static_cast<std::int64_t>(static_cast<double>(now_ns - refilled_ns_) / 1e9 * rate);
  if (hits == 0)
    return;
  // Whole hits only: what is left of the time counts for the next ones.
  refilled_ns_ += static_cast<std::uint64_t>(static_cast<double>(hits) / rate * 1e9);
  parts_.tracer.refill_budget(hits, static_cast<std::int64_t>(limits_.events_per_second));
}

}  // namespace skbtrail
