#pragma once
// Random field expressions about a struct probe, and what they are by C++'s own rules of arithmetic: an interpreter
// that shares no code with the compiler under test.

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <variant>

#include "support/fake_types.h"

namespace skbtrail::test {

// Of C's arithmetic types after promotion.
using CNumber = std::variant<std::int32_t, std::uint32_t, std::int64_t, std::uint64_t>;

struct RandomExpression {
  std::string text;
  std::optional<CNumber> value;  // absent: a read or a division fails on the way
};

// Three probes in a row: the first points to the second, that one to the third, and the third to nothing.
struct ProbeChain {
  Probe probes[3];
  char label[16];
};

// Random content, with its pointers as they are at `address`.
ProbeChain random_chain(std::mt19937& random, std::uint64_t address);

// About chain.probes[0]. `depth` bounds the nesting.
RandomExpression random_expression(std::mt19937& random, const ProbeChain& chain, int depth);

// As 64 bits, sign-extended if its type is signed.
std::uint64_t widened(const CNumber& number);

}  // namespace skbtrail::test
