#pragma once
// Kernel lockdown: in confidentiality mode BPF may not read the kernel's memory, without which nothing can be traced.

#include "base/result.h"

namespace skbtrail {

// EPERM when lockdown is in the way. Found out by a tiny program, since what tells of lockdown is not mounted in a
// container. What else keeps programs from being loaded is not for this function to tell.
Result<> check_lockdown();

}  // namespace skbtrail
