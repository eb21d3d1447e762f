#include "session/traced_session.h"

#include <pthread.h>

#include <utility>

#include "base/clock.h"
#include "session/pod_watch.h"
#include "session/trace_loop.h"
#include "session/trace_setup.h"
#include "sink/fan_out_sink.h"
#include "sink/line_sink.h"

namespace skbtrail {
namespace {}  // namespace

TracedSession::TracedSession(SessionPlan plan, SessionSurroundings around)
    : plan_(std::move(plan)), around_(std::move(around)), thread_([this] { run(); }) {}

TracedSession::~TracedSession() {
  stop();
}

void TracedSession::stop() {
  asked_.store(true, std::memory_order_relaxed);
  stop_.request();
}

NodeStatus TracedSession::status() const {
  const std::lock_guard lock{mutex_};
  return status_;
}

void TracedSession::run() {
  ::pthread_setname_np(::pthread_self(), "ring");
  {
    const std::lock_guard lock{mutex_};
    status_.message = "attaching its probes";
  }
  finish(trace());
  ended_.store(true, std::memory_order_release);
}

Result<> TracedSession::trace() {
  auto prepared = TRY(prepare_trace(plan_.spec, around_.host, around_.names));
  {
    const std::lock_guard lock{mutex_};
    status_.backend = backend_of(prepared, plan_.spec);
  }
  std::unique_ptr<PodWatch> watch;
  if (around_.pods)
    watch = std::make_unique<PodWatch>(*around_.pods, plan_.query, [this](const PodIndex&, std::size_t selected) {
      const std::lock_guard lock{mutex_};
      status_.pods = selected;
    });
  // Before anything is attached: the first packets are then already judged by where the pods are.
  if (watch)
    TRY(watch->follow(prepared.tracer));
  const auto sink = make_sink();
  auto probes = TRY(attach_prepared(prepared, stop_));
  Decoder decoder = decoder_of(prepared, plan_.spec);
  TraceLoop loop{{.tracer = prepared.tracer,
                  .probes = *probes,
                  .decoder = decoder,
                  .sink = *sink,
                  .pods = watch.get(),
                  .on_totals = [this](const TraceTotals& totals) { publish_totals(totals); }},
                 {.duration = plan_.spec.duration,
                  .max_events = plan_.spec.max_events,
                  .events_per_second = plan_.spec.events_per_second},
                 stack_use_of(prepared, plan_.spec),
                 [this](const AttachProgress& progress) { publish_progress(progress); }};
  auto done = loop.run(stop_);
  publish_totals(loop.totals());
  auto paths = tally_->finish_paths();
  const std::lock_guard lock{mutex_};
  status_.top_paths = std::move(paths);
  return done;
}

std::unique_ptr<Sink> TracedSession::make_sink() {
  auto receivers = around_.receivers;
  receivers.push_back(around_.feed.get());
  auto tally = std::make_unique<SessionTally>(plan_.spec.probes == ProbeSet::Path);
  tally_ = tally.get();
  std::vector<std::unique_ptr<Sink>> sinks;
  sinks.push_back(std::move(tally));
  sinks.push_back(std::make_unique<LineSink>(JsonOptions{.node = around_.node, .session = plan_.name}, receivers));
  return std::make_unique<FanOutSink>(std::move(sinks));
}

// Tracing has begun when the first of these comes.
void TracedSession::publish_progress(const AttachProgress& progress) {
  const std::lock_guard lock{mutex_};
  if (status_.phase == SessionPhase::Pending) {
    status_.phase = SessionPhase::Running;
    status_.started_s = unix_now();
  }
  status_.message = progress.complete ? "" : "attaching more functions in the background";
  status_.probes_attached = progress.attached;
  status_.probes_rejected = progress.refused.size();
}

void TracedSession::publish_totals(const TraceTotals& totals) {
  auto top = tally_->top_drops();
  const std::lock_guard lock{mutex_};
  status_.packets = totals.packets;
  status_.events = totals.events;
  status_.lost = totals.lost();
  status_.lost_ring = totals.lost_ring;
  status_.lost_budget = totals.lost_budget;
  status_.lost_tracking = totals.lost_tracking;
  status_.drops = tally_->drops();
  status_.top_drops = std::move(top);
}

void TracedSession::finish(const Result<>& done) {
  const std::lock_guard lock{mutex_};
  if (!done) {
    status_.phase = SessionPhase::Failed;
    status_.message = done.error().message;
  } else if (!asked_.load(std::memory_order_relaxed)) {
    status_.phase = SessionPhase::Completed;
    status_.message = "";
  } else {
    return;  // cut short: whoever asked for it knows why
  }
  status_.ended_s = unix_now();
}

}  // namespace skbtrail
