#pragma once
// libpcap's own classic BPF interpreter, the reference for the translator.

#include <linux/filter.h>

#include <cstdint>
#include <span>

#include "support/filter_input.h"

namespace skbtrail::test {

// Does libpcap consider the program sound? It may still contain instructions that its interpreter aborts on.
bool classic_is_valid(std::span<const sock_filter> program);

// Precondition: the program is valid and the translator accepted it.
std::uint32_t classic_verdict(std::span<const sock_filter> program, const FilterInput& input);

}  // namespace skbtrail::test
