#pragma once
// The BPF programs that are loaded, and what each of them calls: asked of the kernel, which tells only CAP_SYS_ADMIN.

#include <linux/bpf.h>

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "kernel/kallsyms.h"
#include "model/program_text.h"
#include "model/traced_program.h"

namespace skbtrail {

// The next id above `id`; absent: there is none. EPERM: programs may not be listed here.
Result<std::optional<std::uint32_t>> next_program(std::uint32_t id);

// Of `enum bpf_prog_type`; absent: such programs take no packet that we follow.
std::optional<ProgramKind> program_kind(std::uint32_t type);

// Where the machine code of a program lies, its subprograms included; nothing where addresses are hidden.
std::vector<ProgramText> texts_of(int program);

// Names of the helpers and kernel functions (kfuncs) that the loaded programs of these kinds call, as far as they are
// functions of their own: some the verifier writes into the program. The kernel shows addresses only to CAP_SYSLOG.
Result<std::set<std::string>> functions_called_by(const std::set<ProgramKind>& kinds, const Kallsyms& symbols);

}  // namespace skbtrail
