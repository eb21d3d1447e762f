#pragma once
// Classic programs that no expression would give: every instruction, in any order, over registers of any history.

#include <linux/filter.h>

#include <cstdint>
#include <vector>

namespace skbtrail::test {

// Sound, and translatable: check_classic() accepts it. The same seed gives the same program.
std::vector<sock_filter> random_program(std::uint32_t seed);

}  // namespace skbtrail::test
