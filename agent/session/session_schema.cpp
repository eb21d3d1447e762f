#include "session/session_schema.h"

#include <algorithm>
#include <charconv>
#include <ctime>

namespace skbtrail {
namespace {

constexpr KindNames kNames[] = {
    {"TraceSession", "tracesessions", "tracesession", "skbt",
     "A trace of the packets of some pods of its namespace, on all nodes where they run, for a limited time."},
    {"ClusterTraceSession", "clustertracesessions", "clustertracesession", "cskbt",
     "A trace of the packets of pods of any namespace, or of the nodes' own traffic, for a limited time."},
};

using Spec = TraceSessionSpec;

const SpecField kSpecFields[] = {
    {.name = "podSelector",
     .member = &Spec::pod_selector,
     .description =
         "Labels of the pods to trace; {} is every pod. A pod that appears later joins, one that goes leaves."},
    {.name = "podNames",
     .member = &Spec::pod_names,
     .description = "Names of the pods to trace, instead of podSelector.",
     .minimum = 1,
     .maximum = 253,
     .max_items = 64,
     .form = FieldForm::PodReference,
     .in_cluster = false},
    {.name = "namespaceSelector",
     .member = &Spec::namespace_selector,
     .description = "Labels of the namespaces whose pods are traced; {} or none is every namespace.",
     .in_namespaced = false},
    {.name = "nodeSelector",
     .member = &Spec::node_selector,
     .description = "Labels of the nodes that trace; {} or none is every node.",
     .in_namespaced = false},
    {.name = "hostNetwork",
     .member = &Spec::host_network,
     .description = "Whether the nodes' own traffic is traced: that of the host's network namespace.",
     .in_namespaced = false},
    {.name = "filter",
     .member = &Spec::filter,
     .description = "Expression of pcap-filter(7) that says which packets to follow, such as 'tcp port 80'; empty is "
                    "every packet. Hosts and networks are given by address: names are not looked up.",
     .maximum = 1024},
    {.name = "probes",
     .member = &Spec::probes,
     .description = "Where the kernel is watched. Path: one function for each layer that a packet crosses. All: every "
                    "function that takes a packet. Drops: only where packets are given up; no packet is followed, so "
                    "of a pod only what is dropped in its network and at its link is seen."},
    {.name = "functions",
     .member = &Spec::functions,
     .description = "Regular expressions (RE2) of names of kernel functions to watch.",
     .minimum = 1,
     .maximum = 256,
     .max_items = 32},
    {.name = "stack", .member = &Spec::stack, .description = "Whether events carry the kernel's stack."},
    {.name = "duration",
     .member = &Spec::duration,
     .description = "How long to trace, such as 90s, 2m or 1h.",
     .minimum = 1,
     .maximum = 3600,
     .form = FieldForm::Duration},
    {.name = "maxEvents",
     .member = &Spec::max_events,
     .description = "Events after which a node ends its part.",
     .minimum = 1,
     .maximum = 1'000'000},
    {.name = "eventsPerSecond",
     .member = &Spec::events_per_second,
     .description = "Events that a node reports in one second; what is more is counted as lost.",
     .minimum = 1,
     .maximum = 100'000},
    {.name = "maxNodes",
     .member = &Spec::max_nodes,
     .description = "Nodes that take part; one that comes later stands back.",
     .minimum = 1,
     .maximum = kMaxNodes},
    {.name = "ttlSecondsAfterFinished",
     .member = &Spec::ttl_after_finished,
     .description = "Seconds after its end when the object is deleted.",
     .minimum = 0,
     .maximum = std::uint64_t{7} * 24 * 3600},
};

const SpecRule kSpecRules[] = {
    {SessionKind::TraceSession, "has(self.podSelector) != has(self.podNames)",
     "exactly one of podSelector and podNames is needed",
     [](const Spec& spec) { return spec.pod_selector.has_value() == spec.pod_names.empty(); }},
    {SessionKind::ClusterTraceSession,
     "has(self.podSelector) || has(self.namespaceSelector) || (has(self.hostNetwork) && self.hostNetwork)",
     "one of podSelector, namespaceSelector and hostNetwork: true is needed",
     [](const Spec& spec) { return spec.pod_selector || spec.namespace_selector || spec.host_network; }},
};

const NodeField kNodeFields[] = {
    {"phase", &NodeStatus::phase, "How far this node is."},
    {"message", &NodeStatus::message, "Why it waits or has failed."},
    {"startTime", &NodeStatus::started_s, "When it began to trace."},
    {"completionTime", &NodeStatus::ended_s, "When it ended."},
    {"pods", &NodeStatus::pods, "Pods on this node that are selected."},
    {"backend", &NodeStatus::backend, "How the kernel's functions are watched."},
    {"probesAttached", &NodeStatus::probes_attached, "Functions that are watched."},
    {"probesRejected", &NodeStatus::probes_rejected, "Functions that the kernel refused to have watched."},
    {"packets", &NodeStatus::packets, "Packets that were followed."},
    {"events", &NodeStatus::events, "Events that were reported."},
    {"lost", &NodeStatus::lost, "Events that were lost, whatever the cause."},
    {"drops", &NodeStatus::drops, "Packets that the kernel gave up."},
    {"topDrops", &NodeStatus::top_drops, "The most frequent reasons and places of drops."},
    {"topPaths", &NodeStatus::top_paths, "The most frequent ways of packets, known at the end."},
};

const StatusField kStatusFields[] = {
    {"observedGeneration", StatusForm::Count, "The generation of the object that this status speaks of."},
    {"phase", StatusForm::Phase, "How far the session is, over all nodes."},
    {"startTime", StatusForm::Time, "When the first node began to trace."},
    {"completionTime", StatusForm::Time, "When the last node ended."},
    {"nodesTotal", StatusForm::Count, "Nodes that take part."},
    {"packets", StatusForm::Count, "Packets that were followed, on all nodes."},
    {"drops", StatusForm::Count, "Packets that the kernel gave up, on all nodes."},
    {"lost", StatusForm::Count, "Events that were lost, on all nodes."},
};

// A number with its unit at the front of `text`, which is taken away; 0 when there is none.
Result<std::uint64_t> take_unit(std::string_view& text, char unit) {
  const std::size_t end = text.find_first_not_of("0123456789");
  if (end == 0 || end == std::string_view::npos || text[end] != unit)
    return std::uint64_t{0};
  std::uint64_t number = 0;
  if (end > 6 || std::from_chars(text.data(), text.data() + end, number).ec != std::errc{})
    return refuse(EINVAL, "out of range");
  text.remove_prefix(end + 1);
  return number;
}

}  // namespace

const KindNames& names_of(SessionKind kind) {
  return kNames[static_cast<std::size_t>(kind)];
}

std::span<const SpecField> spec_fields() {
  return kSpecFields;
}

std::span<const SpecRule> spec_rules() {
  return kSpecRules;
}

std::span<const NodeField> node_fields() {
  return kNodeFields;
}

std::span<const StatusField> status_fields() {
  return kStatusFields;
}

Result<std::chrono::seconds> duration_of(std::string_view text) {
  std::string_view rest = text;
  const auto hours = take_unit(rest, 'h');
  const auto minutes = take_unit(rest, 'm');
  const auto seconds = take_unit(rest, 's');
  if (text.empty() || !rest.empty() || !hours || !minutes || !seconds)
    return refuse(EINVAL, "'" + std::string(text.substr(0, 40)) + "' is no duration; write 90s, 2m or 1h30m");
  return std::chrono::seconds(*hours * 3600 + *minutes * 60 + *seconds);
}

std::string duration_text(std::chrono::seconds duration) {
  const auto total = duration.count();
  std::string text;
  const auto add = [&](std::int64_t number, char unit) {
    if (number != 0)
      text += std::to_string(number) + unit;
  };
  add(total / 3600, 'h');
  add(total % 3600 / 60, 'm');
  add(total % 60, 's');
  return text.empty() ? "0s" : text;
}

std::string time_text(std::int64_t unix_seconds) {
  const auto seconds = static_cast<std::time_t>(unix_seconds);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

std::optional<std::int64_t> time_of(std::string_view text) {
  const std::string copy(text.substr(0, 64));
  std::tm parts{};
  const char* rest = ::strptime(copy.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  if (rest == nullptr)
    return std::nullopt;
  std::string_view behind(rest);
  if (behind.starts_with('.'))
    behind.remove_prefix(std::min(behind.find_first_not_of("0123456789", 1), behind.size()));
  if (behind != "Z")
    return std::nullopt;
  return ::timegm(&parts);
}

}  // namespace skbtrail
