#pragma once
// SeriesNames: the pods, namespaces and interfaces that series are about.

#include <set>
#include <string>
#include <utility>

namespace skbtrail {

using PodLabels = std::pair<std::string, std::string>;  // namespace, name

struct SeriesNames {
  std::set<PodLabels> pods = {};
  std::set<std::string> namespaces = {};  // that have series of deleted pods
  std::set<std::string> interfaces = {};
};

}  // namespace skbtrail
