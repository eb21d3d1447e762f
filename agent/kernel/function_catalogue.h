#pragma once
// The catalogue: functions that take a packet, sorted into those that can be traced here and those that cannot.

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "kernel/host_root.h"
#include "kernel/kallsyms.h"
#include "kernel/kernel_btf.h"
#include "kernel/probeable_functions.h"
#include "model/kernel_function.h"

namespace skbtrail {

// Decides from facts alone. `functions` come from types and have no addresses yet.
FunctionCatalogue build_catalogue(std::vector<KernelFunction> functions, const Kallsyms& symbols,
                                  const ProbeableFunctions& probeable);

// The same without symbols: each function's address is that of its call site, which ftrace's users (kprobe.multi,
// fentry.multi) may be given as well as that of its entry. `probeable` comes from Listing::Sites.
FunctionCatalogue catalogue_of_sites(std::vector<KernelFunction> functions, const ProbeableFunctions& probeable);

// All refused for one reason: what is left when the kernel does not say what can be probed.
FunctionCatalogue refuse_all(std::vector<KernelFunction> functions, const std::string& reason);

// Reads what the kernel publishes about `functions`, then decides.
Result<FunctionCatalogue> read_catalogue(const HostRoot& host, std::vector<KernelFunction> functions,
                                         const Kallsyms& symbols);

// The second half of read_catalogue(), for who read the first while kallsyms was being read.
FunctionCatalogue complete_catalogue(const HostRoot& host, std::vector<KernelFunction> functions,
                                     ProbeableFunctions probeable, const Kallsyms& symbols);

// Why fentry.multi cannot take an attachable function that kprobe.multi can. One such function makes the kernel
// refuse the whole set.
std::optional<std::string> fentry_multi_refusal(const KernelFunction& function);

}  // namespace skbtrail
