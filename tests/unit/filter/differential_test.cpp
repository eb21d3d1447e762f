// The translated code and libpcap's own interpreter must agree on every packet.

#include <catch2/catch.hpp>
#include <optional>
#include <string>

#include "expressions.h"
#include "filter/pcap_compiler.h"
#include "filter/translator.h"
#include "support/classic_reference.h"
#include "support/ebpf_interpreter.h"
#include "support/packets.h"
#include "support/random_programs.h"

using namespace skbtrail;
using namespace skbtrail::test;

namespace {

constexpr int kPacketsPerForm = 1'000;

// How many packets matched; nothing when the expression has no such form.
std::optional<int> count_matches(const std::string& expression, LinkForm form) {
  const auto program = compile_pcap(expression, form);
  if (!program)
    return std::nullopt;
  const auto code = translate(*program);
  if (!code)
    FAIL(expression << ": " << code.error().message);
  PacketSource packets{static_cast<std::uint32_t>(expression.size())};
  int matches = 0;
  for (int n = 0; n < kPacketsPerForm; ++n) {
    const auto packet = packets.next(form);
    const std::uint32_t behind_linear = n % 5 == 0 ? 900 : 0;
    const FilterInput input{.linear = packet, .length = static_cast<std::uint32_t>(packet.size()) + behind_linear};
    const auto expected = classic_verdict(*program, input);
    const auto verdict = interpret(*code, input);
    if (!verdict)
      FAIL(expression << ": " << verdict.error().message);
    if (*verdict != expected)
      FAIL(expression << ": verdict " << *verdict << " instead of " << expected << " on packet " << n);
    matches += expected != 0;
  }
  return matches;
}

}  // namespace

TEST_CASE("translated expressions judge random and structured packets as libpcap does") {
  int never_matched = 0;
  for (const auto& expression : every_expression())
    for (const auto form : {LinkForm::L2, LinkForm::L3})
      if (const auto matches = count_matches(expression, form); matches == 0) {
        UNSCOPED_INFO("never matched: " << expression);
        ++never_matched;
      }
  // Packets that no expression matches would prove little.
  CHECK(never_matched < 8);
}

TEST_CASE("translated random programs judge packets as libpcap does") {
  for (std::uint32_t seed = 0; seed < 1'000; ++seed) {
    const auto program = random_program(seed);
    const auto code = translate(program);
    if (!code)
      FAIL("seed " << seed << ": " << code.error().message);
    PacketSource packets{seed};
    for (int n = 0; n < 20; ++n) {
      const auto packet = packets.next(LinkForm::L2);
      const FilterInput input{.linear = packet, .length = static_cast<std::uint32_t>(packet.size())};
      const auto verdict = interpret(*code, input);
      if (!verdict || *verdict != classic_verdict(program, input))
        FAIL("seed " << seed << ", packet " << n << ": " << (verdict ? "other verdict" : verdict.error().message));
    }
  }
}
