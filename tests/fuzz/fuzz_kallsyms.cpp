// Whatever /proc/kallsyms holds: no crash, and every function that is listed is found again at its own address.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "kernel/kallsyms.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto symbols = skbtrail::Kallsyms::parse({reinterpret_cast<const char*>(data), size});
  if (!symbols)
    return 0;
  (void)symbols->resolve(0);
  (void)symbols->resolve(UINT64_MAX);
  symbols->for_each([&](std::uint64_t address, std::string_view name, std::string_view module) {
    if (name.empty() || symbols->addresses(name, module).empty())
      std::abort();
    // Aliases share the name of the first.
    const auto symbol = symbols->resolve(address);
    if (symbol.offset != 0 || symbols->addresses(symbol.name, symbol.module).empty())
      std::abort();
  });
  return 0;
}
