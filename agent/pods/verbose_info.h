#pragma once
// What containerd and CRI-O say of a sandbox or container beyond the interface, read from the text they put it in.

#include <map>
#include <string>

#include "base/result.h"
#include "pods/container_runtime.h"

namespace skbtrail {

// Longer texts are not parsed; real ones have 5 to 50 KB.
inline constexpr std::size_t kMaxVerboseInfo = 4U << 20;

// `info` as PodSandboxStatus and ContainerStatus answer it: one JSON text under "info" that has "pid" and
// "runtimeSpec"; runtimes before containerd 1.6 and CRI-O 1.18 have these two as keys of `info`. What is missing, or
// is no sensible pid or path, is left out. EBADMSG: what should be JSON is not.
Result<RuntimePlace> parse_verbose_info(const std::map<std::string, std::string>& info);

}  // namespace skbtrail
