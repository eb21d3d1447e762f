#pragma once
// SeriesNames: the pods and interfaces that series are about.

#include <set>
#include <string>
#include <utility>

namespace skbtrail {

using PodName = std::pair<std::string, std::string>;  // namespace, name

struct SeriesNames {
  std::set<PodName> pods = {};
  std::set<std::string> interfaces = {};
};

}  // namespace skbtrail
