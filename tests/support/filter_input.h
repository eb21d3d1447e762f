#pragma once
// FilterInput: what a filter is asked about. `linear` can be read; `length` says how long the whole packet is.

#include <cstdint>
#include <span>

namespace skbtrail::test {

enum class Helper { Works, Fails };

struct FilterInput {
  std::span<const std::uint8_t> linear;
  std::uint32_t length = 0;
  Helper helper = Helper::Works;  // does bpf_probe_read_kernel find the packet's memory?
};

}  // namespace skbtrail::test
