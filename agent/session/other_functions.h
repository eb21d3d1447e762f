#pragma once
// Functions that take no packet and that a trace needs all the same: those that its user named, and those that make
// packets. They are known by name alone.

#include <span>
#include <string>

#include "base/result.h"
#include "kernel/host_root.h"
#include "kernel/kallsyms.h"
#include "kernel/probeable_functions.h"
#include "model/kernel_function.h"

namespace skbtrail {

// What the kernel publishes about its functions, as it is.
struct FunctionListings {
  const HostRoot& host;
  const Kallsyms& symbols;
  const ProbeableListing& traceable;
  const KprobeBlacklist& blacklist;
};

// Those that can be traced, in vmlinux and all loaded modules, with their addresses; the others with the reason.
FunctionCatalogue look_up_functions(std::span<const std::string> names, const FunctionListings& listings);

// The same of names that a user wrote. EINVAL: one of them cannot be traced, or takes a packet and so is in `packets`.
Result<std::vector<KernelFunction>> named_functions(std::span<const std::string> names,
                                                    const FunctionCatalogue& packets, const FunctionListings& listings);

}  // namespace skbtrail
