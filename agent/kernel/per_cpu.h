#pragma once
// Maps with a value for each CPU are read into as many slots as the kernel may have CPUs.

#include <bpf/libbpf.h>

#include <cstddef>

#include "base/result.h"

namespace skbtrail {

inline Result<std::size_t> possible_cpus() {
  const int cpus = libbpf_num_possible_cpus();
  if (cpus < 0)
    return fail(-cpus, "count CPUs");
  return static_cast<std::size_t>(cpus);
}

}  // namespace skbtrail
