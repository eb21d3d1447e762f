// Any text as a field expression: it is refused in one line, or compiles to code that the verifier need not refuse for
// its form.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "filter/field_expression.h"
#include "support/fake_types.h"
#include "support/well_formed.h"

using namespace skbtrail;
using namespace skbtrail::test;

namespace {

void check_refusal(const Error& error) {
  if (error.message.empty() || error.message.find('\n') != std::string::npos)
    std::abort();
}

void check_code(std::span<const bpf_insn> code) {
  const auto fault = fault_of(code);
  if (fault.empty())
    return;
  std::fprintf(stderr, "%s\n", fault.c_str());
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const FakeTypes kTypes;
  const std::string expression(reinterpret_cast<const char*>(data), size);
  for (const bool has_copy : {false, true}) {
    const auto subject = probe_subject(has_copy);
    if (const auto filter = compile_field_filter(expression, subject, kTypes))
      check_code(*filter);
    else
      check_refusal(filter.error());
    const std::string texts[] = {expression, "p->word"};
    if (const auto values = compile_field_values(texts, subject, kTypes))
      check_code(values->code);
    else
      check_refusal(values.error());
  }
  return 0;
}
