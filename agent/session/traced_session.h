#pragma once
// TracedSession: one session on this machine's kernel, from loading its programs to their removal, on a thread `ring`.

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/stop.h"
#include "kernel/attached_probes.h"
#include "kernel/host_root.h"
#include "model/trace_spec.h"
#include "model/trace_totals.h"
#include "pods/pod_query.h"
#include "pods/pod_source.h"
#include "session/kernel_names.h"
#include "session/session_run.h"
#include "session/session_tally.h"
#include "sink/line_batch.h"

namespace skbtrail {

struct SessionPlan {
  TraceSpec spec;
  PodQuery query;
  std::string name;  // "namespace/name"
};

struct SessionSurroundings {
  HostRoot host;
  KernelNames& names;  // outlives the session
  std::string node;
  PodSource* pods = nullptr;  // null: events have no pods, and only the node's own traffic can be traced
  std::vector<LineReceiver*> receivers;
  std::shared_ptr<EventFeed> feed;
};

class TracedSession final : public SessionRun {
public:
  // Starts at once.
  TracedSession(SessionPlan plan, SessionSurroundings around);
  ~TracedSession() override;
  TracedSession(const TracedSession&) = delete;
  TracedSession& operator=(const TracedSession&) = delete;

  void stop() override;
  bool has_ended() const override { return ended_.load(std::memory_order_acquire); }
  NodeStatus status() const override;

private:
  void run();
  Result<> trace();
  std::unique_ptr<Sink> make_sink();
  void publish_progress(const AttachProgress& progress);
  void publish_totals(const TraceTotals& totals);
  void finish(const Result<>& done);

  SessionPlan plan_;
  SessionSurroundings around_;
  Stop stop_;
  std::atomic<bool> asked_ = false;
  std::atomic<bool> ended_ = false;
  SessionTally* tally_ = nullptr;  // while the sink lives; of the thread alone
  mutable std::mutex mutex_;
  NodeStatus status_;
  std::jthread thread_;  // last: it uses all of the above
};

}  // namespace skbtrail
