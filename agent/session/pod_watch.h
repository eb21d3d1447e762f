#pragma once
// PodWatch: what a trace knows of pods, and which of them it was asked for. Follows the index while the trace runs: the
// names of events come from the newest one, and so does the scope in the kernel.

#include <cstddef>
#include <cstdint>
#include <functional>

#include "base/result.h"
#include "kernel/tracer_object.h"
#include "pods/pod_query.h"
#include "pods/pod_source.h"
#include "session/pod_stage.h"

namespace skbtrail {

// Used by the thread of the trace.
class PodWatch final {
public:
  // Called with every new index, after the scope follows it; `selected`: pods of this node that the query asks for.
  using OnChange = std::function<void(const PodIndex& index, std::size_t selected)>;

  // `source` outlives this. `query` is empty when all packets are to be seen.
  PodWatch(PodSource& source, PodQuery query, OnChange on_change);

  // Takes over the newest index. An error of the scope (E2BIG) ends the trace.
  Result<> follow(TracerObject& tracer);

  PodStage& stage() { return stage_; }

private:
  Result<> follow_host(TracerObject& tracer);

  PodSource& source_;
  PodStage stage_;
  PodQuery query_;
  OnChange on_change_;
  bool has_scope_ = false;
};

}  // namespace skbtrail
