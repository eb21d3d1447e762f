// The runtime's verbose info, in the form of today (first byte even) and in the older one with keys of its own.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "pods/verbose_info.h"

using namespace skbtrail;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0)
    return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto split = text.find('\n');
  const auto place =
      data[0] % 2 == 0
          ? parse_verbose_info({{"info", text}})
          : parse_verbose_info({{"pid", text.substr(0, split)},
                                {"runtimeSpec", split == std::string::npos ? "" : text.substr(split + 1)}});
  if (!place)
    return 0;
  // What comes out can be opened: an absolute path without a zero byte, a pid that a kernel can have.
  const bool path_is_sane =
      place->netns_path.empty() || (place->netns_path[0] == '/' && place->netns_path.size() < 4096 &&
                                    place->netns_path.find('\0') == std::string::npos);
  if (!path_is_sane || place->pid < 0 || place->pid > 1 << 22)
    std::abort();
  return 0;
}
