// Any text as a filter expression: it compiles, or is refused in one line.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "filter/packet_filter.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view expression(reinterpret_cast<const char*>(data), size);
  const auto filter = skbtrail::compile_filter(expression);
  if (!filter && (filter.error().message.empty() || filter.error().message.find('\n') != std::string::npos))
    std::abort();
  return 0;
}
