#pragma once
// plan_probes: which functions to attach, in which tier and order. A pure decision about values.

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/kernel_function.h"
#include "model/probe_plan.h"
#include "model/trace_spec.h"

namespace skbtrail {

// What the planner must know of this kernel beside its functions.
struct PlanFacts {
  Backend backend = Backend::Kprobe;
  MoveBackend moves = MoveBackend::None;
  bool kprobe_multi = false;                // takes what fentry.multi does not
  std::vector<KernelFunction> births = {};  // return new packets; for spec.track_stack
  std::vector<KernelFunction> others = {};  // take no packet; spec.other_functions, looked up
  FunctionCatalogue helpers = {};           // called by BPF programs; for spec.helpers
};

// `selected` says whether a function matches --filter-func; empty: all do. Fails with EINVAL when nothing would be
// reported.
Result<ProbePlan> plan_probes(const FunctionCatalogue& catalogue, const TraceSpec& spec, const PlanFacts& facts,
                              const std::function<bool(std::string_view)>& selected);

}  // namespace skbtrail
