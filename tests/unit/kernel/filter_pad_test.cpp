#include "kernel/filter_pad.h"

#include <catch2/catch.hpp>

using namespace skbtrail;

namespace {

constexpr std::size_t kLength = pad_size(PadKind::L2, PadRoom::Small);

bpf_insn set_r0(std::uint32_t value) {
  bpf_insn insn{};
  insn.code = BPF_ALU64 | BPF_MOV | BPF_K;
  insn.imm = static_cast<std::int32_t>(value);
  return insn;
}

// One instruction, an L2 pad, an L3 pad, one instruction.
std::vector<bpf_insn> program() {
  std::vector<bpf_insn> code(2 + 2 * kLength, bpf_insn{});
  code[1] = set_r0(static_cast<std::uint32_t>(PadKind::L2));
  code[1 + kLength] = set_r0(static_cast<std::uint32_t>(PadKind::L3));
  return code;
}

}  // namespace

TEST_CASE("a filter is written over the pads of its kind, and jumps over what is left of them") {
  auto code = program();
  const std::vector<bpf_insn> filter{set_r0(1), set_r0(2)};
  const auto pads = fill_pads(code, PadKind::L3, PadRoom::Small, filter);
  REQUIRE(pads);
  CHECK(*pads == 1);
  CHECK(static_cast<std::uint32_t>(code[1].imm) == static_cast<std::uint32_t>(PadKind::L2));
  CHECK(code[1 + kLength].imm == 1);
  CHECK(code[2 + kLength].imm == 2);
  CHECK(code[3 + kLength].code == (BPF_JMP | BPF_JGE | BPF_K));
  CHECK(code[3 + kLength].off == static_cast<std::int16_t>(kLength - 3));
}

TEST_CASE("a filter that leaves no room for the jump is refused") {
  auto code = program();
  CHECK(fill_pads(code, PadKind::L2, PadRoom::Small, std::vector<bpf_insn>(kLength - 1, set_r0(1))));
  const auto refused = fill_pads(code, PadKind::L2, PadRoom::Small, std::vector<bpf_insn>(kLength, set_r0(1)));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == E2BIG);
}

TEST_CASE("a filter fits where the jump behind it does, too") {
  CHECK(fits(PadKind::L2, PadRoom::Small, std::vector<bpf_insn>(kLength - 1)));
  CHECK_FALSE(fits(PadKind::L2, PadRoom::Small, std::vector<bpf_insn>(kLength)));
  CHECK(fits(PadKind::L2, PadRoom::Roomy, std::vector<bpf_insn>(kLength)));
}

TEST_CASE("filters about what tunnels carry have room in the larger object only, and none is always room enough") {
  const std::vector<bpf_insn> one{set_r0(1)};
  for (const auto kind : {PadKind::TunnelL2, PadKind::TunnelL3}) {
    CHECK(fits(kind, PadRoom::Small, {}));
    CHECK_FALSE(fits(kind, PadRoom::Small, one));
    CHECK(fits(kind, PadRoom::Roomy, one));
  }
}
