#include "pods/pod_query.h"

#include <algorithm>

namespace skbtrail {
namespace {

constexpr std::size_t kMaxPodName = 253;       // a DNS subdomain
constexpr std::size_t kMaxNamespaceName = 63;  // a DNS label

bool is_dns(std::string_view text, std::size_t most, std::string_view also) {
  const auto is_end = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !text.empty() && text.size() <= most && is_end(text.front()) && is_end(text.back()) &&
         std::ranges::all_of(text, [&](char c) { return is_end(c) || also.find(c) != std::string_view::npos; });
}

}  // namespace

Result<PodName> parse_pod_name(const std::string& text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string::npos)
    return refuse(EINVAL, "pod '" + text + "': write NAMESPACE/NAME, such as default/web-0");
  PodName pod{.namespace_name = text.substr(0, slash), .name = text.substr(slash + 1)};
  if (!is_dns(pod.namespace_name, kMaxNamespaceName, "-"))
    return refuse(EINVAL, "pod '" + text + "': '" + pod.namespace_name + "' is no name of a namespace");
  if (!is_dns(pod.name, kMaxPodName, "-."))
    return refuse(EINVAL, "pod '" + text + "': '" + pod.name + "' is no name of a pod");
  return pod;
}

bool PodQuery::selects(const Pod& pod) const {
  const auto is_it = [&](const PodName& one) {
    return one.name == pod.name && one.namespace_name == pod.namespace_name;
  };
  if (std::ranges::any_of(names, is_it))
    return true;
  return selector && (selector_namespace.empty() || selector_namespace == pod.namespace_name) &&
         (!namespace_selector ||
          namespace_selector->matches({{std::string(kNamespaceNameLabel), pod.namespace_name}})) &&
         selector->matches(pod.labels);
}

}  // namespace skbtrail
