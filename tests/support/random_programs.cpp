#include "support/random_programs.h"

#include <iterator>
#include <random>

namespace skbtrail::test {
namespace {

constexpr std::uint16_t kPacketLoads[] = {
    BPF_LD | BPF_W | BPF_ABS, BPF_LD | BPF_H | BPF_ABS, BPF_LD | BPF_B | BPF_ABS,  BPF_LD | BPF_W | BPF_IND,
    BPF_LD | BPF_H | BPF_IND, BPF_LD | BPF_B | BPF_IND, BPF_LDX | BPF_B | BPF_MSH,
};
constexpr std::uint16_t kMoves[] = {
    BPF_LD | BPF_W | BPF_LEN, BPF_LD | BPF_IMM, BPF_LD | BPF_MEM, BPF_LDX | BPF_W | BPF_LEN, BPF_LDX | BPF_IMM,
    BPF_LDX | BPF_MEM,        BPF_ST,           BPF_STX,          BPF_MISC | BPF_TAX,        BPF_MISC | BPF_TXA,
};
constexpr std::uint16_t kOperations[] = {BPF_ADD, BPF_SUB, BPF_MUL, BPF_DIV, BPF_MOD, BPF_OR,
                                         BPF_AND, BPF_XOR, BPF_LSH, BPF_RSH, BPF_NEG};
constexpr std::uint16_t kConditions[] = {BPF_JA, BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET};

class ProgramSource {
public:
  explicit ProgramSource(std::uint32_t seed) : random_(seed) {}

  std::vector<sock_filter> next() {
    const std::uint32_t size = 4 + below(40);
    std::vector<sock_filter> program;
    while (program.size() < size)
      program.push_back(instruction(size - static_cast<std::uint32_t>(program.size())));
    program.push_back({.code = BPF_RET | BPF_A, .jt = 0, .jf = 0, .k = 0});
    program.push_back({.code = BPF_RET | BPF_K, .jt = 0, .jf = 0, .k = below(2)});
    return program;
  }

private:
  std::uint32_t below(std::uint32_t limit) { return static_cast<std::uint32_t>(random_()) % limit; }

  template <std::size_t N>
  std::uint16_t one_of(const std::uint16_t (&choices)[N]) {
    return choices[below(N)];
  }

  sock_filter instruction(std::uint32_t ahead) {
    switch (below(8)) {
      case 0:
      case 1:
      case 2: return {.code = one_of(kPacketLoads), .jt = 0, .jf = 0, .k = offset()};
      case 3:
      case 4: return {.code = one_of(kMoves), .jt = 0, .jf = 0, .k = below(BPF_MEMWORDS)};
      case 5: return jump(ahead);
      default: return operation();
    }
  }

  std::uint32_t offset() {
    switch (below(12)) {
      case 0: return static_cast<std::uint32_t>(random_()) & 0x7fff'ffff;
      case 1: return 250 + below(300);
      default: return below(40);
    }
  }

  sock_filter operation() {
    const auto code = one_of(kOperations);
    const bool shift = code == BPF_LSH || code == BPF_RSH;
    const bool with_index = code != BPF_NEG && below(3) == 0;
    const std::uint32_t value = below(2) == 0 ? below(64) : static_cast<std::uint32_t>(random_());
    return {.code = static_cast<std::uint16_t>(BPF_ALU | code | (with_index ? BPF_X : BPF_K)),
            .jt = 0,
            .jf = 0,
            .k = shift ? value % 32 : value | 1};
  }

  sock_filter jump(std::uint32_t ahead) {
    const auto code = one_of(kConditions);
    if (code == BPF_JA)
      return {.code = BPF_JMP | BPF_JA, .jt = 0, .jf = 0, .k = below(2) == 0 ? 0 : below(ahead)};
    return {.code = static_cast<std::uint16_t>(BPF_JMP | code | (below(2) == 0 ? BPF_X : BPF_K)),
            .jt = static_cast<std::uint8_t>(below(ahead)),
            .jf = static_cast<std::uint8_t>(below(ahead)),
            .k = below(300)};
  }

  std::mt19937 random_;
};

}  // namespace

std::vector<sock_filter> random_program(std::uint32_t seed) {
  return ProgramSource{seed}.next();
}

}  // namespace skbtrail::test
