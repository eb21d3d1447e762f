#pragma once
// Series that become others: what a bounded family does with those of what is gone.

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace skbtrail {

// Values in the order of the family's label names.
using LabelValues = std::vector<std::string>;
// Which labels a series gets; none: it stays what it is.
using Becoming = std::function<std::optional<LabelValues>(const LabelValues&)>;

// Adds each series that is to become another one to that, and removes it; returns how many. A value knows
// add(const Value&).
template <class Value>
std::size_t rename_series(std::map<LabelValues, Value>& series, const Becoming& becoming) {
  std::map<LabelValues, Value> folded;
  std::size_t removed = 0;
  for (auto one = series.begin(); one != series.end();) {
    const auto other = becoming(one->first);
    if (!other) {
      ++one;
      continue;
    }
    folded[*other].add(one->second);
    one = series.erase(one);
    ++removed;
  }
  for (const auto& [labels, value] : folded)
    series[labels].add(value);
  return removed;
}

}  // namespace skbtrail
