#include "session/session_crd.h"

#include <string>

#include "base/overloaded.h"
#include "session/session_object.h"

namespace skbtrail {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMaxMessage = 1024;  // characters of a text in status
constexpr std::size_t kMaxConditions = 8;
constexpr std::string_view kPodNamePattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
constexpr std::string_view kLabelKeyPattern =
    "^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$";
constexpr std::string_view kLabelValuePattern = "^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$";

template <class Names>
Json list_of(const Names& names) {
  Json list = Json::array();
  for (const std::string_view name : names)
    list.push_back(name);
  return list;
}

Json rule(std::string_view cel, std::string_view message) {
  return {{"rule", cel}, {"message", message}};
}

Json string_schema(std::size_t max_length) {
  return {{"type", "string"}, {"maxLength", max_length}};
}

Json count_schema() {
  return {{"type", "integer"}, {"format", "int64"}, {"minimum", 0}};
}

Json time_schema() {
  return {{"type", "string"}, {"format", "date-time"}};
}

Json described(std::string_view description, const Json& schema) {
  Json with = {{"description", description}};
  with.update(schema);
  return with;
}

// ---- spec

Json label_value_schema() {
  return {{"type", "string"}, {"maxLength", 63}, {"pattern", kLabelValuePattern}};
}

Json requirement_schema() {
  const Json key = {{"description", "Name of a label."},
                    {"type", "string"},
                    {"minLength", 1},
                    {"maxLength", 317},
                    {"pattern", kLabelKeyPattern}};
  const Json op = {{"description", "How the label relates to the values."},
                   {"type", "string"},
                   {"enum", list_of(kSelectorOperators)}};
  const Json values = {{"description", "Values, with In and NotIn."},
                       {"type", "array"},
                       {"maxItems", kMaxSelectorValues},
                       {"items", label_value_schema()},
                       {"x-kubernetes-list-type", "atomic"}};
  return {{"type", "object"},
          {"required", {"key", "operator"}},
          {"properties", {{"key", key}, {"operator", op}, {"values", values}}},
          {"x-kubernetes-validations",
           Json::array({rule("!(self.operator in ['In', 'NotIn']) || (has(self.values) && size(self.values) > 0)",
                             "In and NotIn need one value at least"),
                        rule("self.operator in ['In', 'NotIn'] || !has(self.values) || size(self.values) == 0",
                             "Exists and DoesNotExist take no values")})}};
}

Json selector_schema() {
  const Json labels = {{"description", "Labels and the values that they have to have."},
                       {"type", "object"},
                       {"maxProperties", kMaxSelectorLabels},
                       {"additionalProperties", label_value_schema()}};
  const Json expressions = {{"description", "Requirements, all of which have to be met."},
                            {"type", "array"},
                            {"maxItems", kMaxSelectorRequirements},
                            {"items", requirement_schema()},
                            {"x-kubernetes-list-type", "atomic"}};
  return {{"type", "object"}, {"properties", {{"matchLabels", labels}, {"matchExpressions", expressions}}}};
}

Json list_schema(const SpecField& field) {
  Json item = {{"type", "string"}, {"minLength", field.minimum}, {"maxLength", field.maximum}};
  Json schema = {{"type", "array"}};
  if (field.form == FieldForm::PodReference) {
    item["pattern"] = kPodNamePattern;
    schema["minItems"] = 1;
  }
  schema["maxItems"] = field.max_items;
  schema["items"] = item;
  schema["x-kubernetes-list-type"] = "atomic";
  return schema;
}

Json number_schema(const SpecField& field, std::string_view format, std::uint64_t standard) {
  return {{"type", "integer"},
          {"format", format},
          {"minimum", field.minimum},
          {"maximum", field.maximum},
          {"default", standard}};
}

Json time_field_schema(const SpecField& field, std::chrono::seconds standard) {
  if (field.form != FieldForm::Duration)
    return number_schema(field, "int32", static_cast<std::uint64_t>(standard.count()));
  const auto least = duration_text(std::chrono::seconds(field.minimum));
  const auto most = duration_text(std::chrono::seconds(field.maximum));
  return {
      {"type", "string"},
      {"minLength", 2},
      {"maxLength", kMaxDurationText},
      {"pattern", kDurationPattern},
      {"default", duration_text(standard)},
      {"x-kubernetes-validations",
       Json::array({rule("duration(self) >= duration('" + least + "') && duration(self) <= duration('" + most + "')",
                         "must be from " + least + " to " + most)})}};
}

Json field_schema(const SpecField& field) {
  const TraceSessionSpec standard;
  return std::visit(
      Overloaded{
          [&](std::string TraceSessionSpec::*member) -> Json {
            Json schema = string_schema(field.maximum);
            schema["default"] = standard.*member;
            return schema;
          },
          [&](bool TraceSessionSpec::*member) -> Json {
            return {{"type", "boolean"}, {"default", standard.*member}};
          },
          [&](ProbeSet TraceSessionSpec::*member) -> Json {
            return {{"type", "string"},
                    {"enum", list_of(kProbeSetNames)},
                    {"default", kProbeSetNames[static_cast<std::size_t>(standard.*member)]}};
          },
          [&](std::uint32_t TraceSessionSpec::*member) { return number_schema(field, "int32", standard.*member); },
          [&](std::uint64_t TraceSessionSpec::*member) { return number_schema(field, "int64", standard.*member); },
          [&](std::chrono::seconds TraceSessionSpec::*member) { return time_field_schema(field, standard.*member); },
          [&](std::vector<std::string> TraceSessionSpec::*) { return list_schema(field); },
          [&](std::optional<SelectorSpec> TraceSessionSpec::*) { return selector_schema(); },
      },
      field.member);
}

Json spec_schema(SessionKind kind) {
  Json properties = Json::object();
  for (const SpecField& field : spec_fields())
    if (field.belongs_to(kind))
      properties[std::string(field.name)] = described(field.description, field_schema(field));
  Json rules = Json::array();
  for (const SpecRule& one : spec_rules())
    if (one.kind == kind)
      rules.push_back(rule(one.cel, one.message));
  return {{"description", "What to trace, where and for how long. It cannot be changed once the session runs."},
          {"type", "object"},
          {"properties", properties},
          {"x-kubernetes-validations", rules}};
}

// ---- status

Json property(std::string_view description, const Json& schema) {
  return described(description, schema);
}

Json top_drop_schema() {
  return {{"type", "object"},
          {"properties",
           {{"reason", property("The kernel's reason.", string_schema(kMaxMessage))},
            {"function", property("Where the packets were given up.", string_schema(kMaxMessage))},
            {"count", property("Packets.", count_schema())}}}};
}

Json top_path_schema() {
  const Json functions = {{"type", "array"},
                          {"maxItems", TopPath::kMaxFunctions},
                          {"items", string_schema(kMaxMessage)},
                          {"x-kubernetes-list-type", "atomic"}};
  return {{"type", "object"},
          {"properties",
           {{"functions", property("The kernel's functions in order; of a long way the last ones.", functions)},
            {"packets", property("Packets that took this way.", count_schema())},
            {"medianNs", property("Median time from the first to the last function, in nanoseconds.", count_schema())},
            {"p99Ns", property("99th percentile of that time.", count_schema())},
            {"end", property("How it ended: dropped, delivered, consumed or last-seen.", string_schema(63))}}}};
}

Json entries_schema(std::size_t max_items, const Json& item) {
  return {{"type", "array"}, {"maxItems", max_items}, {"items", item}, {"x-kubernetes-list-type", "atomic"}};
}

Json phase_schema() {
  return {{"type", "string"}, {"enum", list_of(kPhaseNames)}};
}

Json node_field_schema(const NodeField& field) {
  return std::visit(
      Overloaded{
          [](std::string NodeStatus::*) { return string_schema(kMaxMessage); },
          [](std::uint64_t NodeStatus::*) { return count_schema(); },
          [](std::int64_t NodeStatus::*) { return time_schema(); },
          [](SessionPhase NodeStatus::*) { return phase_schema(); },
          [](std::vector<TopDrop> NodeStatus::*) { return entries_schema(NodeStatus::kMaxDrops, top_drop_schema()); },
          [](std::vector<TopPath> NodeStatus::*) { return entries_schema(NodeStatus::kMaxPaths, top_path_schema()); },
      },
      field.member);
}

Json nodes_schema() {
  Json properties = {{"node", property("Name of the node.", string_schema(253))}};
  for (const NodeField& field : node_fields())
    properties[std::string(field.name)] = described(field.description, node_field_schema(field));
  return {{"description", "What each node says, written by that node."},
          {"type", "array"},
          {"maxItems", kMaxNodes},
          {"items", {{"type", "object"}, {"required", Json::array({"node"})}, {"properties", properties}}},
          {"x-kubernetes-list-type", "map"},
          {"x-kubernetes-list-map-keys", Json::array({"node"})}};
}

Json conditions_schema() {
  const Json properties = {
      {"type", property("Ready: it is being traced. Complete: it has ended well.", string_schema(316))},
      {"status", property("Whether it is so.", {{"type", "string"}, {"enum", {"True", "False", "Unknown"}}})},
      {"observedGeneration", property("The generation of the object that this speaks of.", count_schema())},
      {"lastTransitionTime", property("When the status changed.", time_schema())},
      {"reason", property("One word for programs.", string_schema(kMaxMessage))},
      {"message", property("Words for people.", string_schema(32768))}};
  return {{"description", "What holds of the session now."},
          {"type", "array"},
          {"maxItems", kMaxConditions},
          {"items",
           {{"type", "object"},
            {"required", {"type", "status", "lastTransitionTime", "reason", "message"}},
            {"properties", properties}}},
          {"x-kubernetes-list-type", "map"},
          {"x-kubernetes-list-map-keys", Json::array({"type"})}};
}

Json status_field_schema(StatusForm form) {
  switch (form) {
    case StatusForm::Count: return count_schema();
    case StatusForm::Phase: return phase_schema();
    case StatusForm::Time: return time_schema();
  }
  return {};
}

Json status_schema() {
  Json properties = Json::object();
  for (const StatusField& field : status_fields())
    properties[std::string(field.name)] = described(field.description, status_field_schema(field.form));
  properties["conditions"] = conditions_schema();
  properties["nodes"] = nodes_schema();
  return {{"description", "What was found. Written by the agents."}, {"type", "object"}, {"properties", properties}};
}

// ---- the definition

Json object_schema(SessionKind kind) {
  return {{"description", names_of(kind).description},
          {"type", "object"},
          {"required", Json::array({"spec"})},
          {"properties",
           {{"apiVersion", {{"type", "string"}}},
            {"kind", {{"type", "string"}}},
            {"metadata", {{"type", "object"}}},
            {"spec", spec_schema(kind)},
            {"status", status_schema()}}},
          {"x-kubernetes-validations",
           Json::array({rule("!has(oldSelf.status) || !has(oldSelf.status.phase) || "
                             "oldSelf.status.phase == 'Pending' || self.spec == oldSelf.spec",
                             "spec cannot be changed once the session runs; make a new one")})}};
}

Json column(std::string_view name, std::string_view type, std::string_view path) {
  return {{"name", name}, {"type", type}, {"jsonPath", path}};
}

Json version_of(SessionKind kind) {
  return {
      {"name", kSessionVersion},
      {"served", true},
      {"storage", true},
      {"subresources", {{"status", Json::object()}}},
      {"additionalPrinterColumns",
       Json::array({column("Phase", "string", ".status.phase"), column("Nodes", "integer", ".status.nodesTotal"),
                    column("Packets", "integer", ".status.packets"), column("Drops", "integer", ".status.drops"),
                    column("Lost", "integer", ".status.lost"), column("Age", "date", ".metadata.creationTimestamp")})},
      {"schema", {{"openAPIV3Schema", object_schema(kind)}}}};
}

}  // namespace

Json crd_of(SessionKind kind) {
  const KindNames& names = names_of(kind);
  return {{"apiVersion", "apiextensions.k8s.io/v1"},
          {"kind", "CustomResourceDefinition"},
          {"metadata", {{"name", std::string(names.plural) + "." + std::string(kSessionGroup)}}},
          {"spec",
           {{"group", kSessionGroup},
            {"scope", kind == SessionKind::TraceSession ? "Namespaced" : "Cluster"},
            {"names",
             {{"kind", names.kind},
              {"listKind", std::string(names.kind) + "List"},
              {"plural", names.plural},
              {"singular", names.singular},
              {"shortNames", Json::array({names.short_name})},
              {"categories", Json::array({"skbtrail"})}}},
            {"versions", Json::array({version_of(kind)})}}}};
}

}  // namespace skbtrail
