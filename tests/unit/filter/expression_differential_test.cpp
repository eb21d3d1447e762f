// Compiled expressions in the running kernel, against C++'s own arithmetic. Needs root and bpf(2).

#include <catch2/catch.hpp>
#include <cstring>
#include <iostream>
#include <string>

#include "support/kernel_expression.h"
#include "support/kernel_filter.h"
#include "support/random_expressions.h"

using namespace skbtrail;
using namespace skbtrail::test;

namespace {

bool skipped() {
  const auto available = KernelFilter::available();
  if (!available)
    std::cout << "skipped: " << Catch::getResultCapture().getCurrentTestName() << ": " << available.error().message
              << std::endl;
  return !available;
}

// The pointers in the chain depend on where the kernel has put it; the expression must not see them otherwise.
constexpr std::uint64_t kNowhere = 0x1000;

KernelExpression::Fill filled_with(std::uint32_t seed) {
  return [seed](std::span<std::byte> object, std::uint64_t address) {
    std::mt19937 random{seed};
    const ProbeChain chain = random_chain(random, address);
    static_assert(sizeof(chain) <= KernelExpression::kObjectBytes);
    std::memcpy(object.data(), &chain, sizeof(chain));
  };
}

std::string shown(const std::optional<std::uint64_t>& value) {
  return value ? std::to_string(*value) : "nothing";
}

struct Outcome {
  int failed = 0;
  int zero = 0;
  int too_large = 0;
};

void check_seed(std::uint32_t seed, bool has_copy, Outcome& outcome) {
  const FakeTypes types;
  std::mt19937 random{seed};
  const ProbeChain chain = random_chain(random, kNowhere);
  const auto made = random_expression(random, chain, 1 + static_cast<int>(seed % 4));
  INFO("seed " << seed << ": " << made.text);
  if (made.text.size() > kFieldExpressionLength) {
    ++outcome.too_large;
    return;
  }
  const std::string texts[] = {made.text};
  const auto values = compile_field_values(texts, probe_subject(has_copy), types);
  // A constant divisor of 0 is told beforehand.
  if (!values && (values.error().code == E2BIG || values.error().message.ends_with("divides by zero"))) {
    ++outcome.too_large;
    return;
  }
  if (!values)
    FAIL(values.error().message);
  const auto wanted = made.value ? std::optional(widened(*made.value)) : std::nullopt;
  outcome.failed += !wanted;
  outcome.zero += wanted == 0U;
  const auto value_program = KernelExpression::load(values->code);
  if (!value_program)
    FAIL(value_program.error().message);
  const auto value = value_program->run_value(filled_with(seed));
  if (!value)
    FAIL(value.error().message);
  if (*value != wanted)
    FAIL("value " << shown(*value) << " instead of " << shown(wanted));

  const auto filter = compile_field_filter(made.text, probe_subject(has_copy), types);
  if (!filter)
    FAIL(filter.error().message);
  const auto filter_program = KernelExpression::load(*filter);
  if (!filter_program)
    FAIL(filter_program.error().message);
  const auto verdict = filter_program->run_filter(filled_with(seed));
  if (!verdict || *verdict != (wanted.value_or(0) != 0 ? 1U : 0U))
    FAIL("verdict " << (verdict ? std::to_string(*verdict) : verdict.error().message) << " for " << shown(wanted));
}

}  // namespace

TEST_CASE("the kernel accepts random field expressions and computes them as C does") {
  if (skipped())
    return;
  Outcome outcome;
  constexpr std::uint32_t kExpressions = 3'000;
  for (std::uint32_t seed = 0; seed < kExpressions; ++seed)
    check_seed(seed, seed % 2 == 0, outcome);
  // Expressions that all fail, or all are 0, would prove little.
  UNSCOPED_INFO("failed " << outcome.failed << ", zero " << outcome.zero << ", too large " << outcome.too_large);
  CHECK(outcome.failed > 100);
  CHECK(outcome.failed < 1'500);
  CHECK(outcome.zero < 1'500);
  CHECK(outcome.too_large < 300);
}
