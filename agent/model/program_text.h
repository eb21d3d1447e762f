#pragma once
// ProgramText: machine code of a BPF program.

#include <compare>
#include <cstdint>

namespace skbtrail {

struct ProgramText {
  std::uint64_t start = 0;
  std::uint64_t end = 0;  // behind it
  friend auto operator<=>(const ProgramText&, const ProgramText&) = default;
};

}  // namespace skbtrail
