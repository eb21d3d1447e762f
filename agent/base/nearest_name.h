#pragma once
// "Did you mean": the known name that is closest to one that is not known.

#include <string>
#include <string_view>
#include <vector>

namespace skbtrail {

// Empty when none is close: at most a third of the letters may differ, swapped neighbours counting once.
std::string nearest_name(std::string_view wrong, const std::vector<std::string>& known);

}  // namespace skbtrail
