#pragma once
// SeriesNames: the pods, namespaces and interfaces that series are about.

#include <set>
#include <string>
#include <utility>

namespace skbtrail {

using PodName = std::pair<std::string, std::string>;  // namespace, name

struct SeriesNames {
  std::set<PodName> pods = {};
  std::set<std::string> namespaces = {};  // that have series of deleted pods
  std::set<std::string> interfaces = {};
};

}  // namespace skbtrail
