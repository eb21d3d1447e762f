#pragma once
// The kernel's list of processes as the index of pods asks for it.

#include <functional>
#include <vector>

#include "base/result.h"
#include "model/task_place.h"

namespace skbtrail {

// Loads the BPF iterator when it is first asked, and keeps it: most nodes never need it. For one thread at a time.
std::function<Result<std::vector<TaskPlace>>()> task_lister();

}  // namespace skbtrail
