#include "base/nearest_name.h"

#include <algorithm>
#include <numeric>

namespace skbtrail {
namespace {

// Insertions, deletions, replacements and swaps of neighbours that make one name of the other.
std::size_t distance(std::string_view from, std::string_view to) {
  std::vector<std::size_t> before(to.size() + 1);
  std::vector<std::size_t> row(to.size() + 1);
  std::vector<std::size_t> next(to.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 1; i <= from.size(); ++i) {
    next[0] = i;
    for (std::size_t j = 1; j <= to.size(); ++j) {
      next[j] = std::min({row[j] + 1, next[j - 1] + 1, row[j - 1] + (from[i - 1] == to[j - 1] ? 0U : 1U)});
      if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1])
        next[j] = std::min(next[j], before[j - 2] + 1);
    }
    before.swap(row);
    row.swap(next);
  }
  return row[to.size()];
}

}  // namespace

std::string nearest_name(std::string_view wrong, const std::vector<std::string>& known) {
  const std::size_t allowed = std::max<std::size_t>(1, wrong.size() / 3);
  std::string nearest;
  std::size_t shortest = allowed + 1;
  for (const std::string& name : known)
    if (const std::size_t here = distance(wrong, name); here < shortest) {
      shortest = here;
      nearest = name;
    }
  return nearest;
}

}  // namespace skbtrail
