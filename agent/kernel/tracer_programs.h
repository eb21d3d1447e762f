#pragma once
// The programs of the tracer's BPF object: which of them are loaded, and what is written into their code before.

#include <linux/bpf.h>

#include <vector>

#include "base/result.h"
#include "kernel/filter_pad.h"
#include "kernel/tracer_settings.h"
#include "model/probe_plan.h"

struct bpf_program;
struct tracer_bpf;

namespace skbtrail {

// The object whose programs have room for the filters and expressions of `settings`.
PadRoom room_for(const TracerSettings& settings);

// Chooses what `plan` needs, and writes filters, expressions and calls of kfuncs into it. Before the object is loaded.
Result<> prepare_programs(const tracer_bpf& raw, const TracerSettings& settings, const ProbePlan& plan);

// The program itself once it is loaded, else null.
bpf_program* loaded(bpf_program* program);
// As TracerObject's.
bpf_program* program_of(const tracer_bpf& raw, Backend backend, Tier tier);
std::vector<bpf_program*> trampolines_of(const tracer_bpf& raw);
std::vector<bpf_insn> pattern_of(const tracer_bpf& raw, ProgramKind kind, bpf_attach_type edge);

}  // namespace skbtrail
