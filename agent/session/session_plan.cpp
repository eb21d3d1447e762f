#include "session/session_plan.h"

#include <algorithm>
#include <string>
#include <utility>

#include "session/selector_object.h"

namespace skbtrail {
namespace {

// A session's events are few by its bounds: what does not fit was more than was asked for.
constexpr std::uint32_t kRingBytes = 4U << 20;
constexpr std::uint32_t kMaxPackets = 16'384;

Result<LabelSelector> parse_selector(const SelectorSpec& selector, const char* field) {
  auto parsed = LabelSelector::parse(selector_text(selector));
  if (!parsed)
    return within(field, std::move(parsed.error()));
  return parsed;
}

Result<> check_namespace_labels(const SelectorSpec& selector) {
  const auto is_known = [](const std::string& key) { return key == kNamespaceNameLabel; };
  const bool known = std::ranges::all_of(selector.match_labels, is_known, [](const auto& one) { return one.first; }) &&
                     std::ranges::all_of(selector.match_expressions, is_known, &SelectorSpec::Requirement::key);
  if (known)
    return {};
  return refuse(EINVAL, "spec.namespaceSelector: a node knows no label of a namespace but " +
                            std::string(kNamespaceNameLabel) + ", which is its name: select by that");
}

}  // namespace

TraceSpec trace_spec_of(const TraceSession& session) {
  const auto& asked = session.spec;
  TraceSpec spec;
  spec.filter = asked.filter;
  spec.probes = asked.probes;
  spec.functions = asked.functions;
  spec.stack = asked.stack;
  spec.pods = true;
  spec.only_pods = true;
  spec.duration = asked.duration - session.spent;
  spec.max_events = asked.max_events;
  spec.events_per_second = asked.events_per_second;
  spec.ring_bytes = kRingBytes;
  spec.max_packets = kMaxPackets;
  return spec;
}

Result<PodQuery> pod_query_of(const TraceSession& session) {
  const auto& asked = session.spec;
  PodQuery query{.host_network = asked.host_network};
  for (const auto& name : asked.pod_names)
    query.names.push_back({.namespace_name = session.key.namespace_name, .name = name});
  if (asked.pod_selector)
    query.selector = TRY(parse_selector(*asked.pod_selector, "spec.podSelector"));
  query.selector_namespace = session.key.namespace_name;
  if (!session.is_cluster())
    return query;
  if (asked.namespace_selector) {
    TRY(check_namespace_labels(*asked.namespace_selector));
    query.namespace_selector = TRY(parse_selector(*asked.namespace_selector, "spec.namespaceSelector"));
  }
  // Whoever names namespaces alone means all of their pods.
  if (!query.selector && asked.namespace_selector)
    query.selector = TRY(LabelSelector::parse(""));
  return query;
}

}  // namespace skbtrail
