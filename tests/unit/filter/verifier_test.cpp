// What the running kernel says about the translated code: its verifier must accept it, and its JIT agree with libpcap.
// Needs root and bpf(2).

#include <catch2/catch.hpp>
#include <iostream>
#include <string>

#include "expressions.h"
#include "filter/pcap_compiler.h"
#include "filter/translator.h"
#include "support/classic_reference.h"
#include "support/kernel_filter.h"
#include "support/packets.h"
#include "support/random_programs.h"

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

struct Case {
  std::string name;
  std::vector<sock_filter> program;
  LinkForm form = LinkForm::L2;
  int packets = 0;
};

void check_in_kernel(const Case& test) {
  INFO(test.name);
  const auto code = translate(test.program);
  if (!code)
    FAIL(code.error().message);
  const auto filter = KernelFilter::load(*code);
  if (!filter)
    FAIL(filter.error().message);

  PacketSource packets{static_cast<std::uint32_t>(test.program.size())};
  for (int n = 0; n < test.packets; ++n) {
    const auto packet = packets.next(test.form);
    const FilterInput input{.linear = packet, .length = static_cast<std::uint32_t>(packet.size()) + 100};
    const auto expected = classic_verdict(test.program, input);
    const auto verdict = filter->run(input);
    if (!verdict)
      FAIL(verdict.error().message);
    if (*verdict != expected)
      FAIL("verdict " << *verdict << " instead of " << expected << " on packet " << n);
  }
}

}  // namespace

TEST_CASE("the kernel accepts every expression and judges packets as libpcap does") {
  if (skipped())
    return;
  int programs = 0;
  for (const auto& expression : every_expression())
    for (const auto form : {LinkForm::L2, LinkForm::L3})
      if (auto program = compile_pcap(expression, form)) {
        check_in_kernel({.name = expression, .program = std::move(*program), .form = form, .packets = 60});
        ++programs;
      }
  CHECK(programs > 90);
}

TEST_CASE("the kernel accepts random programs and judges packets as libpcap does") {
  if (skipped())
    return;
  for (std::uint32_t seed = 0; seed < 300; ++seed)
    check_in_kernel({.name = "seed " + std::to_string(seed), .program = random_program(seed), .packets = 15});
}
