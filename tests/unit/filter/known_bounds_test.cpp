#include "filter/known_bounds.h"

#include <catch2/catch.hpp>

using namespace skbtrail;

namespace {

constexpr auto kUnknown = KnownBounds::kUnknown;

KnownBounds after(KnownBounds bounds, std::initializer_list<sock_filter> program) {
  for (const sock_filter& instruction : program)
    bounds = bounds.after(instruction);
  return bounds;
}

sock_filter step(int code, std::uint32_t k = 0) {
  return {.code = static_cast<std::uint16_t>(code), .jt = 0, .jf = 0, .k = k};
}

}  // namespace

TEST_CASE("nothing is known about a value that was swapped, loaded from memory or computed beyond 30 bits") {
  CHECK(after({}, {step(BPF_LD | BPF_H | BPF_ABS)}).accumulator_max == kUnknown);
  CHECK(after({}, {step(BPF_LD | BPF_MEM)}).accumulator_max == kUnknown);
  CHECK(after({}, {step(BPF_LD | BPF_B | BPF_ABS), step(BPF_ALU | BPF_LSH | BPF_K, 24)}).accumulator_max == kUnknown);
  CHECK(after({}, {step(BPF_LD | BPF_W | BPF_ABS), step(BPF_ALU | BPF_ADD | BPF_K, 1)}).accumulator_max == kUnknown);
  CHECK(after({}, {step(BPF_LD | BPF_IMM, 1), step(BPF_ALU | BPF_SUB | BPF_K, 2)}).accumulator_max == kUnknown);
}

TEST_CASE("the length of a TCP header plus that of an IPv4 header is bounded") {
  const auto bounds = after({}, {step(BPF_LDX | BPF_B | BPF_MSH, 14), step(BPF_LD | BPF_B | BPF_IND, 26),
                                 step(BPF_ALU | BPF_AND | BPF_K, 0xf0), step(BPF_ALU | BPF_RSH | BPF_K, 2),
                                 step(BPF_ALU | BPF_ADD | BPF_X), step(BPF_MISC | BPF_TAX)});
  CHECK(bounds.index_max == 60 + 60);
}

TEST_CASE("a compared value is not trusted any more, nor its copy") {
  const auto compared =
      after({}, {step(BPF_LDX | BPF_B | BPF_MSH), step(BPF_LD | BPF_B | BPF_ABS), step(BPF_JMP | BPF_JEQ | BPF_K, 5)});
  CHECK(compared.accumulator_max == kUnknown);
  CHECK(compared.index_max == 60);
  CHECK(compared.after(step(BPF_JMP | BPF_JEQ | BPF_X)).index_max == kUnknown);
  CHECK(after({}, {step(BPF_LD | BPF_B | BPF_ABS), step(BPF_MISC | BPF_TAX), step(BPF_JMP | BPF_JGT | BPF_K, 5)})
            .index_max == kUnknown);
}

TEST_CASE("a new X makes what was proven with the old one void") {
  KnownBounds bounds;
  bounds.indexed = 20;
  CHECK(bounds.after(step(BPF_LD | BPF_B | BPF_ABS)).indexed == 20);
  CHECK(bounds.after(step(BPF_LDX | BPF_IMM, 1)).indexed == 0);
  CHECK(bounds.after(step(BPF_MISC | BPF_TAX)).indexed == 0);
}

TEST_CASE("where two ways meet only what both know holds") {
  const KnownBounds left{.linear = 20, .indexed = 4, .accumulator_max = 10, .index_max = 60};
  const KnownBounds right{.linear = 34, .indexed = 0, .accumulator_max = 255, .index_max = kUnknown, .linked = true};
  const auto met = left.met_with(right);
  CHECK(met.linear == 20);
  CHECK(met.indexed == 0);
  CHECK(met.accumulator_max == 255);
  CHECK(met.index_max == kUnknown);
  CHECK(met.linked);
}
