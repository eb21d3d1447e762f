#pragma once
// The pods of one trace: where they are known from, which were asked for, and what the user is told about them.

#include <memory>
#include <string>

#include "app/trace_options.h"
#include "base/result.h"
#include "kernel/host_root.h"
#include "model/pod_totals.h"
#include "pods/pod_query.h"
#include "pods/pod_source.h"
#include "session/pod_watch.h"

namespace skbtrail {

// Declared so that the watch goes before its source.
struct TracePods {
  std::unique_ptr<PodSource> source;
  std::unique_ptr<PodWatch> watch;  // null: no names of pods
};

// Nothing, and at no cost, where no container runtime is and no pod was asked for. Waits for nothing: the runtime is
// asked while the trace is prepared. The watch says on stderr whether the pods that were asked for are here. ENOTSUP:
// pods were asked for and there is no container runtime.
Result<TracePods> open_trace_pods(const PodQuery& query, const TraceOptions& options, const HostRoot& host);

// "pod 'shop/web-0'", "pods 'app=web' of 'shop'": what somebody asked for, in a sentence.
std::string describe(const PodQuery& query);

// One line when events had to go without the name of a pod, else nothing.
std::string pods_remark(const PodTotals& totals);

}  // namespace skbtrail
