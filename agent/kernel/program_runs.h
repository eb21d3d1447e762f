#pragma once
// ProgramRuns: what the kernel counted of one BPF program of ours.

#include <cstdint>
#include <string>

namespace skbtrail {

struct ProgramRuns {
  std::string name;
  std::uint64_t runs = 0;
  std::uint64_t nanoseconds = 0;
};

}  // namespace skbtrail
