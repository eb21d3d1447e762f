#include "filter/translator.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>

#include "support/ebpf_interpreter.h"
#include "support/random_programs.h"
#include "trace_abi.h"

using namespace skbtrail;
using namespace skbtrail::test;

namespace {

using Program = std::vector<sock_filter>;
using Bytes = std::vector<std::uint8_t>;

sock_filter step(int code, std::uint32_t k = 0) {
  return {.code = static_cast<std::uint16_t>(code), .jt = 0, .jf = 0, .k = k};
}

sock_filter branch(int code, std::uint32_t k, std::uint8_t jt, std::uint8_t jf) {
  return {.code = static_cast<std::uint16_t>(BPF_JMP | code), .jt = jt, .jf = jf, .k = k};
}

const sock_filter kReturnA = step(BPF_RET | BPF_A);
const sock_filter kAccept = step(BPF_RET | BPF_K, 1);
const sock_filter kReject = step(BPF_RET | BPF_K, 0);

std::vector<bpf_insn> translated(const Program& program) {
  auto code = translate(program);
  if (!code)
    FAIL(code.error().message);
  return std::move(*code);
}

std::string refusal(const Program& program) {
  const auto code = translate(program);
  REQUIRE_FALSE(code);
  return code.error().message;
}

std::uint64_t verdict(const Program& program, const FilterInput& input) {
  const auto result = interpret(translated(program), input);
  if (!result)
    FAIL(result.error().message);
  return *result;
}

std::uint64_t verdict(const Program& program, const Bytes& packet = {}) {
  return verdict(program, {.linear = packet, .length = static_cast<std::uint32_t>(packet.size())});
}

auto calls(const std::vector<bpf_insn>& code) {
  return std::ranges::count(code, BPF_JMP | BPF_CALL, &bpf_insn::code);
}

Bytes counting(std::size_t size) {
  Bytes packet(size);
  for (std::size_t n = 0; n < size; ++n)
    packet[n] = static_cast<std::uint8_t>(n);
  return packet;
}

}  // namespace

TEST_CASE("an empty program is refused") {
  CHECK(refusal({}) == "the compiled program is empty");
}

TEST_CASE("an unknown instruction is refused") {
  CHECK(refusal({step(0xffff), kAccept}) == "instruction 0 has the unknown code 65535");
  CHECK(refusal({step(BPF_RET | BPF_X)}) == "instruction 0 has the unknown code 14");
  CHECK(refusal({step(BPF_ALU | BPF_NEG | BPF_X), kAccept}) == "instruction 0 has the unknown code 140");
  CHECK(refusal({step(BPF_ALU | 0xb0), kAccept}) == "instruction 0 has the unknown code 180");
}

TEST_CASE("a memory word that does not exist is refused") {
  CHECK(refusal({step(BPF_ST, 16), kAccept}) == "instruction 0 uses a memory word beyond the 16 there are");
}

TEST_CASE("a constant division by zero is refused") {
  CHECK(refusal({step(BPF_ALU | BPF_DIV | BPF_K, 0), kAccept}) == "instruction 0 divides by zero");
  CHECK(refusal({step(BPF_ALU | BPF_MOD | BPF_K, 0), kAccept}) == "instruction 0 divides by zero");
}

TEST_CASE("a loop is refused") {
  CHECK_THAT(refusal({step(BPF_LD | BPF_IMM), step(BPF_JMP | BPF_JA, static_cast<std::uint32_t>(-2)), kAccept}),
             Catch::StartsWith("instruction 1 loops"));
}

TEST_CASE("a jump out of the program is refused") {
  CHECK(refusal({step(BPF_JMP | BPF_JA, 1), kAccept}) == "instruction 0 jumps out of the program");
  CHECK(refusal({branch(BPF_JEQ, 0, 0, 1), kAccept}) == "instruction 0 jumps out of the program");
}

TEST_CASE("a program that may end without a verdict is refused") {
  CHECK(refusal({step(BPF_LD | BPF_IMM)}) == "instruction 0 ends the program without a verdict");
}

TEST_CASE("packet metadata is refused") {
  CHECK_THAT(refusal({step(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(SKF_AD_OFF)), kAccept}),
             Catch::StartsWith("instruction 0 reads packet metadata"));
}

TEST_CASE("a program that outgrows the pad is refused") {
  Program program(2'000, step(BPF_LD | BPF_W | BPF_ABS, 500));
  program.push_back(kAccept);
  CHECK_THAT(refusal(program), Catch::EndsWith("more than the 4096 there is room for; shorten the expression"));
  program.assign(70'000, step(BPF_LD | BPF_W | BPF_ABS, 500));
  program.push_back(kAccept);
  CHECK_THAT(refusal(program), Catch::EndsWith("more than the 4096 there is room for; shorten the expression"));
}

TEST_CASE("registers and memory are 0 before they are written") {
  CHECK(verdict({kReturnA}) == 0);
  CHECK(verdict({step(BPF_MISC | BPF_TXA), kReturnA}) == 0);
  CHECK(verdict({step(BPF_LD | BPF_MEM, 15), kReturnA}) == 0);
  // Written on one of two ways only.
  CHECK(verdict({step(BPF_LD | BPF_W | BPF_LEN), branch(BPF_JEQ, 0, 1, 0), step(BPF_STX, 3), step(BPF_LD | BPF_MEM, 3),
                 kReturnA}) == 0);
}

TEST_CASE("memory gives back what was stored") {
  CHECK(verdict({step(BPF_LD | BPF_IMM, 0x89abcdef), step(BPF_ST, 0), step(BPF_LDX | BPF_MEM, 0), step(BPF_STX, 15),
                 step(BPF_LD | BPF_IMM, 1), step(BPF_LD | BPF_MEM, 15), kReturnA}) == 0x89abcdef);
}

TEST_CASE("loads read the packet in network order") {
  const auto packet = counting(8);
  CHECK(verdict({step(BPF_LD | BPF_W | BPF_ABS, 1), kReturnA}, packet) == 0x01020304);
  CHECK(verdict({step(BPF_LD | BPF_H | BPF_ABS, 1), kReturnA}, packet) == 0x0102);
  CHECK(verdict({step(BPF_LD | BPF_B | BPF_ABS, 7), kReturnA}, packet) == 7);
  CHECK(verdict({step(BPF_LDX | BPF_IMM, 3), step(BPF_LD | BPF_H | BPF_IND, 2), kReturnA}, packet) == 0x0506);
  CHECK(verdict({step(BPF_LDX | BPF_B | BPF_MSH, 5), step(BPF_MISC | BPF_TXA), kReturnA}, packet) == 20);
}

TEST_CASE("a load that passes the linear length by one byte rejects") {
  const auto packet = counting(8);
  CHECK(verdict({step(BPF_LD | BPF_W | BPF_ABS, 4), kAccept}, packet) == 1);
  CHECK(verdict({step(BPF_LD | BPF_W | BPF_ABS, 5), kAccept}, packet) == 0);
  CHECK(verdict({step(BPF_LDX | BPF_IMM, 3), step(BPF_LD | BPF_W | BPF_IND, 2), kAccept}, packet) == 0);
  CHECK(verdict({step(BPF_LDX | BPF_B | BPF_MSH, 8), kAccept}, packet) == 0);
}

TEST_CASE("an offset that wraps around 32 bits is past the end") {
  const auto packet = counting(64);
  CHECK(verdict({step(BPF_LDX | BPF_IMM, 0xffff'ffff), step(BPF_LD | BPF_B | BPF_IND, 5), kAccept}, packet) == 0);
  CHECK(verdict({step(BPF_LDX | BPF_IMM, 5), step(BPF_LD | BPF_B | BPF_IND, 0xffff'ffff), kAccept}, packet) == 0);
  CHECK(verdict({step(BPF_LD | BPF_W | BPF_ABS, 0x7fff'fffe), kAccept}, packet) == 0);
}

TEST_CASE("bytes behind the window come from the helper, and its failure rejects") {
  const auto packet = counting(600);
  const Program constant{step(BPF_LD | BPF_H | BPF_ABS, 0x101), kReturnA};
  const Program indexed{step(BPF_LD | BPF_W | BPF_LEN), step(BPF_MISC | BPF_TAX), step(BPF_LD | BPF_H | BPF_IND, 1),
                        kReturnA};
  CHECK(verdict(constant, {.linear = packet, .length = 600}) == 0x0102);
  CHECK(verdict(constant, {.linear = packet, .length = 600, .helper = Helper::Fails}) == 0);
  CHECK(verdict(indexed, {.linear = packet, .length = 0x102}) == 0x0304);
  CHECK(verdict(indexed, {.linear = packet, .length = 0x102, .helper = Helper::Fails}) == 0);
  CHECK(verdict(indexed, {.linear = packet, .length = 0x20, .helper = Helper::Fails}) == 0x2122);
}

TEST_CASE("lengths and address survive a helper call") {
  const auto packet = counting(600);
  CHECK(verdict({step(BPF_LD | BPF_B | BPF_ABS, 300), step(BPF_LD | BPF_B | BPF_ABS, 0x1ff), step(BPF_ST, 0),
                 step(BPF_LD | BPF_W | BPF_LEN), step(BPF_LDX | BPF_MEM, 0), step(BPF_ALU | BPF_ADD | BPF_X), kReturnA},
                {.linear = packet, .length = 1000}) == 1000 + 0xff);
}

TEST_CASE("dividing by an X of zero rejects") {
  CHECK(verdict({step(BPF_LD | BPF_IMM, 7), step(BPF_ALU | BPF_DIV | BPF_X), kAccept}) == 0);
  CHECK(verdict({step(BPF_LD | BPF_IMM, 7), step(BPF_ALU | BPF_MOD | BPF_X), kAccept}) == 0);
  CHECK(verdict({step(BPF_LD | BPF_IMM, 0xffff'ffff), step(BPF_ALU | BPF_DIV | BPF_K, 0x8000'0000), kReturnA}) == 1);
}

TEST_CASE("shifting all bits out gives 0") {
  for (const int shift : {BPF_LSH, BPF_RSH}) {
    const Program by_index{step(BPF_LDX | BPF_IMM, 32), step(BPF_LD | BPF_IMM, 0xffff'ffff),
                           step(BPF_ALU | shift | BPF_X), kReturnA};
    CHECK(verdict(by_index) == 0);
    CHECK(verdict({step(BPF_LD | BPF_IMM, 0xffff'ffff), step(BPF_ALU | shift | BPF_K, 32), kReturnA}) == 0);
  }
}

TEST_CASE("comparisons are unsigned") {
  CHECK(verdict({step(BPF_LD | BPF_IMM, 0x8000'0000), branch(BPF_JGT, 1, 0, 1), kAccept, kReject}) == 1);
  CHECK(verdict({step(BPF_LD | BPF_IMM, 1), branch(BPF_JGE, 0xffff'ffff, 0, 1), kAccept, kReject}) == 0);
}

TEST_CASE("code that nothing reaches is not emitted") {
  const auto code = translated({step(BPF_JMP | BPF_JA, 1), step(BPF_LD | BPF_W | BPF_ABS, 400), kAccept});
  CHECK(calls(code) == 0);
  const auto after_impossible_load =
      translated({step(BPF_LD | BPF_B | BPF_ABS, 0x7fff'ffff), step(BPF_LD | BPF_B | BPF_ABS, 400), kAccept});
  CHECK(calls(after_impossible_load) == 0);
}

TEST_CASE("loads within the window call no helper") {
  CHECK(calls(translated({step(BPF_LD | BPF_W | BPF_ABS, TRACE_WINDOW_BYTES - 4), kAccept})) == 0);
  CHECK(calls(translated({step(BPF_LD | BPF_W | BPF_ABS, TRACE_WINDOW_BYTES - 3), kAccept})) == 1);
  CHECK(calls(translated({step(BPF_LDX | BPF_B | BPF_MSH, 14), step(BPF_LD | BPF_H | BPF_IND, 16), kAccept})) == 0);
}

TEST_CASE("a length that was checked is not checked again on the same way") {
  const auto once = translated({step(BPF_LD | BPF_W | BPF_ABS, 20), kAccept});
  const auto twice = translated({step(BPF_LD | BPF_W | BPF_ABS, 20), step(BPF_LD | BPF_B | BPF_ABS, 3), kAccept});
  CHECK(twice.size() == once.size() + 1);
}

TEST_CASE("the code neither returns nor touches the stack") {
  for (std::uint32_t seed = 0; seed < 200; ++seed)
    for (const bpf_insn& instruction : translated(random_program(seed))) {
      REQUIRE(instruction.code != (BPF_JMP | BPF_EXIT));
      REQUIRE(instruction.dst_reg != BPF_REG_10);
      REQUIRE(instruction.src_reg != BPF_REG_10);
    }
}
