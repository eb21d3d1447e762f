#pragma once
// What the kernel tells of a loaded BPF program.

#include <linux/bpf.h>

#include <initializer_list>
#include <vector>

#include "base/result.h"
#include "kernel/program_runs.h"

struct bpf_program;

namespace skbtrail {

Result<bpf_prog_info> info_of(const bpf_program* program);

// Of those that are loaded.
std::vector<ProgramRuns> runs_of(std::initializer_list<const bpf_program*> programs);

}  // namespace skbtrail
