#pragma once
// The pads that a BPF program keeps free for translated filters; see FILTER_PAD in bpf/include/match.h.

#include <linux/bpf.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"

namespace skbtrail {

// First instruction of a pad, `r0 = kind`, followed by `r0 = r0` up to its length.
enum class PadKind : std::uint32_t {
  L2 = 0x5b7a0002,
  L3 = 0x5b7a0003,
  Fields = 0x5b7a0004,
  Values = 0x5b7a0005,
  TunnelL2 = 0x5b7a0012,
  TunnelL3 = 0x5b7a0013,
};

// The two objects that bpf/CMakeLists.txt builds.
enum class PadRoom : std::uint8_t { Small, Roomy };

// Instructions of one pad.
constexpr std::size_t pad_size(PadKind kind, PadRoom room) {
  const std::size_t filter = room == PadRoom::Small ? 512 : 4096;
  switch (kind) {
    case PadKind::L2:
    case PadKind::L3: return filter;
    case PadKind::Fields:
    case PadKind::Values: return filter / 2;
    case PadKind::TunnelL2:
    case PadKind::TunnelL3: return room == PadRoom::Small ? 0 : filter;
  }
  return 0;
}

// Whether the pad has room for `code` and the jump behind it. A pad that is not used needs none.
inline bool fits(PadKind kind, PadRoom room, std::span<const bpf_insn> code) {
  return code.empty() || code.size() < pad_size(kind, room);
}

// Writes `code` over every pad of this kind in `program` and jumps over the rest of the pad. Returns how many pads.
Result<std::size_t> fill_pads(std::vector<bpf_insn>& program, PadKind kind, PadRoom room,
                              std::span<const bpf_insn> code);

}  // namespace skbtrail
