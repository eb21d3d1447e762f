// Any bytes as a classic BPF program and a packet: the translator must refuse or translate, and what it translates must
// behave and judge as libpcap's interpreter does.
// Input: number of instructions (1 byte), bytes behind the linear part (1 byte), instructions (8 bytes each), packet.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <span>
#include <vector>

#include "filter/translator.h"
#include "support/classic_reference.h"
#include "support/ebpf_interpreter.h"

using namespace skbtrail;
using namespace skbtrail::test;

namespace {

// Wild codes are nearly always refused: bend them to the ones there are, most of the time.
std::uint16_t bent(std::uint16_t code) {
  static constexpr std::uint16_t kCodes[] = {
      BPF_LD | BPF_W | BPF_ABS,
      BPF_LD | BPF_H | BPF_ABS,
      BPF_LD | BPF_B | BPF_ABS,
      BPF_LD | BPF_W | BPF_IND,
      BPF_LD | BPF_H | BPF_IND,
      BPF_LD | BPF_B | BPF_IND,
      BPF_LD | BPF_W | BPF_LEN,
      BPF_LD | BPF_IMM,
      BPF_LD | BPF_MEM,
      BPF_LDX | BPF_W | BPF_LEN,
      BPF_LDX | BPF_B | BPF_MSH,
      BPF_LDX | BPF_IMM,
      BPF_LDX | BPF_MEM,
      BPF_ST,
      BPF_STX,
      BPF_JMP | BPF_JA,
      BPF_JMP | BPF_JEQ | BPF_K,
      BPF_JMP | BPF_JGT | BPF_K,
      BPF_JMP | BPF_JGE | BPF_K,
      BPF_JMP | BPF_JSET | BPF_K,
      BPF_JMP | BPF_JEQ | BPF_X,
      BPF_JMP | BPF_JGT | BPF_X,
      BPF_JMP | BPF_JGE | BPF_X,
      BPF_JMP | BPF_JSET | BPF_X,
      BPF_ALU | BPF_ADD | BPF_K,
      BPF_ALU | BPF_ADD | BPF_X,
      BPF_ALU | BPF_SUB | BPF_K,
      BPF_ALU | BPF_SUB | BPF_X,
      BPF_ALU | BPF_MUL | BPF_K,
      BPF_ALU | BPF_MUL | BPF_X,
      BPF_ALU | BPF_DIV | BPF_K,
      BPF_ALU | BPF_DIV | BPF_X,
      BPF_ALU | BPF_MOD | BPF_K,
      BPF_ALU | BPF_MOD | BPF_X,
      BPF_ALU | BPF_AND | BPF_K,
      BPF_ALU | BPF_AND | BPF_X,
      BPF_ALU | BPF_OR | BPF_K,
      BPF_ALU | BPF_OR | BPF_X,
      BPF_ALU | BPF_XOR | BPF_K,
      BPF_ALU | BPF_XOR | BPF_X,
      BPF_ALU | BPF_LSH | BPF_K,
      BPF_ALU | BPF_LSH | BPF_X,
      BPF_ALU | BPF_RSH | BPF_K,
      BPF_ALU | BPF_RSH | BPF_X,
      BPF_ALU | BPF_NEG,
      BPF_MISC | BPF_TAX,
      BPF_MISC | BPF_TXA,
      BPF_RET | BPF_A,
      BPF_RET | BPF_K,
  };
  return code >= 0xf000 ? code & 0xff : kCodes[code % std::size(kCodes)];
}

bool shifts_by_constant(std::uint16_t code) {
  return code == (BPF_ALU | BPF_LSH | BPF_K) || code == (BPF_ALU | BPF_RSH | BPF_K);
}

std::vector<sock_filter> program_from(std::span<const std::uint8_t> bytes) {
  std::vector<sock_filter> program(bytes.size() / sizeof(sock_filter));
  if (!program.empty())
    std::memcpy(program.data(), bytes.data(), program.size() * sizeof(sock_filter));
  for (sock_filter& instruction : program) {
    instruction.code = bent(instruction.code);
    if (shifts_by_constant(instruction.code))
      instruction.k %= 32;  // more is undefined in libpcap's interpreter
  }
  return program;
}

[[noreturn]] void complain(const char* what) {
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2)
    return 0;
  const std::span bytes(data + 2, size - 2);
  const auto program_bytes = bytes.first(std::min<std::size_t>(data[0] * sizeof(sock_filter), bytes.size()));
  const auto program = program_from(program_bytes);
  const auto code = translate(program);
  if (!code)
    return 0;
  if (!classic_is_valid(program))
    complain("translated a program that libpcap finds unsound");

  const auto packet = bytes.subspan(program_bytes.size());
  const FilterInput input{.linear = packet, .length = static_cast<std::uint32_t>(packet.size()) + data[1]};
  const auto verdict = interpret(*code, input);
  if (!verdict)
    complain(verdict.error().message.c_str());
  if (*verdict != classic_verdict(program, input))
    complain("the verdict differs from libpcap's");
  return 0;
}
