#pragma once
// TracedProgram: a BPF program of somebody else that a trace watches; and who knows them by id.

#include <array>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <span>
#include <string_view>

#include "model/symbol.h"

namespace skbtrail {

enum class ProgramKind : std::uint8_t { Tc, Xdp };

constexpr std::string_view program_kind_name(ProgramKind kind) {
  switch (kind) {
    case ProgramKind::Tc: return "tc";
    case ProgramKind::Xdp: return "xdp";
  }
  std::abort();
}

struct TracedProgram {
  std::uint32_t id = 0;  // the kernel's
  ProgramKind kind = ProgramKind::Tc;
  Symbol symbol = {};  // its name, in the module "bpf" as kallsyms has it
};

// Implemented in kernel/.
class TracedProgramNames {
public:
  virtual ~TracedProgramNames() = default;
  // Null when it is not traced. What is returned lives as long as the trace.
  virtual const TracedProgram* lookup(std::uint32_t id) const = 0;
};

// Numbers of the kernel's interface; tcx has the same.
constexpr std::array<std::string_view, 10> kTcVerdicts = {
    "TC_ACT_UNSPEC", "TC_ACT_OK",     "TC_ACT_RECLASSIFY", "TC_ACT_SHOT",     "TC_ACT_PIPE",
    "TC_ACT_STOLEN", "TC_ACT_QUEUED", "TC_ACT_REPEAT",     "TC_ACT_REDIRECT", "TC_ACT_TRAP"};
constexpr std::array<std::string_view, 5> kXdpVerdicts = {"XDP_ABORTED", "XDP_DROP", "XDP_PASS", "XDP_TX",
                                                          "XDP_REDIRECT"};

// What a program's return value says; absent for a number without a name, such as the class that a classifier chose.
constexpr std::optional<std::string_view> verdict_name(ProgramKind kind, std::int32_t verdict) {
  const bool tc = kind == ProgramKind::Tc;
  const std::span<const std::string_view> names =
      tc ? std::span<const std::string_view>(kTcVerdicts) : std::span<const std::string_view>(kXdpVerdicts);
  const std::int64_t at = std::int64_t{verdict} + (tc ? 1 : 0);  // the first of TC is -1
  if (at < 0 || at >= static_cast<std::int64_t>(names.size()))
    return std::nullopt;
  return names[static_cast<std::size_t>(at)];
}

}  // namespace skbtrail
