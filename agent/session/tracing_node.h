#pragma once
// TracingNode: runs sessions on this machine's kernel, each on a thread of its own with its own probes and filter.

#include <memory>
#include <string>
#include <vector>

#include "kernel/host_root.h"
#include "pods/pod_source.h"
#include "session/kernel_names.h"
#include "session/session_run.h"
#include "sink/line_batch.h"

namespace skbtrail {

class TracingNode final : public SessionNode {
public:
  struct Parts {
    HostRoot host = HostRoot{};
    std::string name = {};                      // of the node
    PodSource* pods = nullptr;                  // null: not known
    std::string why_no_pods = {};               // then
    std::vector<LineReceiver*> receivers = {};  // of events
  };

  // What the parts point to outlives this and every session.
  explicit TracingNode(Parts parts);
  ~TracingNode() override;

  Result<> check(const TraceSession& session) override;
  Selected selected(const TraceSession& session) override;
  std::unique_ptr<SessionRun> start(const TraceSession& session, std::shared_ptr<EventFeed> feed) override;

private:
  class Counts;

  Parts parts_;
  KernelNames names_;
  std::unique_ptr<Counts> counts_;
};

}  // namespace skbtrail
