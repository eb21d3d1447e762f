#pragma once
// PodQuery: which pods somebody asked for, by name or by labels. A value.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/pod.h"
#include "pods/label_selector.h"

namespace skbtrail {

struct PodName {
  std::string namespace_name;
  std::string name;
  friend bool operator==(const PodName&, const PodName&) = default;
};

// "shop/web-0". EINVAL: it is not the name of a pod.
Result<PodName> parse_pod_name(const std::string& text);

// The label that every namespace has: its name.
constexpr std::string_view kNamespaceNameLabel = "kubernetes.io/metadata.name";

// Any of the names, or the selector in its namespace. Empty: no pod was asked for.
struct PodQuery {
  std::vector<PodName> names = {};
  std::optional<LabelSelector> selector = {};
  std::string selector_namespace = {};  // empty: in all of them
  // Beside it, by the labels of the namespace, of which a node knows kNamespaceNameLabel alone.
  std::optional<LabelSelector> namespace_selector = {};
  bool host_network = false;  // the node's own traffic as well; needs no pod

  bool empty() const { return names.empty() && !selector && !host_network; }
  bool selects(const Pod& pod) const;
};

}  // namespace skbtrail
