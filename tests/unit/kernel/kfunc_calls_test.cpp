#include "kernel/kfunc_calls.h"

#include <array>
#include <catch2/catch.hpp>

#include "unit/kernel/test_btf.h"

using namespace skbtrail;

namespace {

constexpr bpf_insn set_r0(std::int32_t value) {
  return {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .src_reg = 0, .off = 0, .imm = value};
}

bool calls(const bpf_insn& insn, std::int32_t btf_id) {
  return insn.code == (BPF_JMP | BPF_CALL) && insn.src_reg == BPF_PSEUDO_KFUNC_CALL && insn.dst_reg == 0 &&
         insn.off == 0 && insn.imm == btf_id;
}

}  // namespace

TEST_CASE("a kernel without kprobe.session has no kfuncs for it") {
  TestBtf types;
  types.function("bpf_session_cookie", {});
  CHECK_FALSE(session_kfuncs(*types.get()));
}

TEST_CASE("the kfuncs are found by name, whatever arguments this kernel gives them") {
  TestBtf types;
  const int is_return = types.function("bpf_session_is_return", {});
  const int cookie = types.function("bpf_session_cookie", {types.void_pointer});
  const auto kfuncs = session_kfuncs(*types.get());
  REQUIRE(kfuncs);
  CHECK(kfuncs->is_return == static_cast<std::uint32_t>(is_return));
  CHECK(kfuncs->cookie == static_cast<std::uint32_t>(cookie));
}

TEST_CASE("calls are written over the instructions that name them, and over no other") {
  std::array program{set_r0(0), set_r0(0x5b7a0010), set_r0(0x5b7a0002), set_r0(0x5b7a0011)};
  CHECK(write_session_calls(program, {.is_return = 7, .cookie = 9}) == 2);
  CHECK(program[0].imm == 0);
  CHECK(calls(program[1], 7));
  CHECK(program[2].imm == 0x5b7a0002);
  CHECK(calls(program[3], 9));
}
