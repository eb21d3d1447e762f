#pragma once
// prepare_trace: from what somebody asks to a loaded tracer and a plan. Reads the kernel, attaches nothing.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/stop.h"
#include "decode/decoder.h"
#include "kernel/attached_probes.h"
#include "kernel/drop_reasons.h"
#include "kernel/host_root.h"
#include "kernel/tracer_object.h"
#include "model/dump_form.h"
#include "model/kernel_features.h"
#include "model/probe_plan.h"
#include "model/trace_spec.h"
#include "model/value_form.h"
#include "session/deferred_symbols.h"
#include "session/kernel_names.h"
#include "session/trace_loop.h"

namespace skbtrail {

struct PreparedTrace {
  KernelFeatures features;
  std::unique_ptr<DeferredSymbols> symbols;  // its address stays, since decoders refer to it
  DropReasons reasons;
  std::vector<ValueForm> value_forms;  // of spec.values
  std::vector<ValueForm> xdp_value_forms;
  DumpForms dump_forms;
  std::unique_ptr<ProbePlan> plan;  // its address stays, since attached probes refer to it
  TracerObject tracer;
  std::string tracefs;           // where kprobe_events is
  std::string programs_refused;  // why this kernel lets no BPF program be traced, where that was asked for
};

// EINVAL: the spec is wrong. ENOTSUP, EPERM, EACCES: this kernel or these privileges cannot do it. The message says
// what is missing and how to get it.
// Every trace of a process is best given the same `names`.
Result<PreparedTrace> prepare_trace(const TraceSpec& spec, const HostRoot& host, KernelNames& names);

// What can be said of a spec without looking at the kernel. EINVAL.
Result<> check_expressions(const TraceSpec& spec);

// Attaches what was planned. ENOTSUP: the kernel refused every function.
Result<std::unique_ptr<AttachedProbes>> attach_prepared(PreparedTrace& prepared, const Stop& stop);

// "kprobe.multi", and "tracepoint" where no function is probed.
std::string_view backend_of(const PreparedTrace& prepared, const TraceSpec& spec);

// Reads records of this trace; `prepared` must outlive it.
Decoder decoder_of(const PreparedTrace& prepared, const TraceSpec& spec);
StackUse stack_use_of(const PreparedTrace& prepared, const TraceSpec& spec);

}  // namespace skbtrail
