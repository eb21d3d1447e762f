#pragma once
// Which capabilities this process lacks, and what does not work without them.

#include <cstdint>
#include <string_view>
#include <vector>

#include "kernel/host_root.h"
#include "model/kernel_features.h"

namespace skbtrail {

// `effective` has bit n for capability n; `last` is the newest one that the kernel knows (38 before 5.8: no CAP_BPF).
std::vector<MissingCapability> missing_capabilities(std::uint64_t effective, unsigned last);

// Of /proc/self/status; nothing when it has no such line.
std::uint64_t effective_capabilities(std::string_view status);

std::vector<MissingCapability> read_missing_capabilities(const HostRoot& host);

// Likewise, of what naming pods takes: other calls, for which CAP_SYS_ADMIN does not stand.
std::vector<MissingCapability> missing_pod_capabilities(std::uint64_t effective);
std::vector<MissingCapability> read_missing_pod_capabilities(const HostRoot& host);

}  // namespace skbtrail
