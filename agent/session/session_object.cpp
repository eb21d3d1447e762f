#include "session/session_object.h"

#include <algorithm>
#include <utility>

#include "base/shown_text.h"
#include "filter/host_names.h"
#include "pods/label_syntax.h"
#include "session/session_schema.h"

namespace skbtrail {
namespace {

using nlohmann::json;

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <class... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

// Where we are in the object: "spec.podSelector".
Error wrong(const std::string& path, const std::string& what) {
  return refuse(EINVAL, path + ": " + what);
}

template <class Names>
std::string listed(const Names& names) {
  std::string text;
  for (const std::string_view name : names)
    text += (text.empty() ? "" : ", ") + std::string(name);
  return text;
}

std::string_view type_of(const json& value) {
  if (value.is_number_float())
    return "a fraction";
  if (value.is_number())
    return "a number";
  if (value.is_object())
    return "an object";
  if (value.is_array())
    return "a list";
  return value.is_null() ? "null" : value.is_boolean() ? "a boolean" : "a string";
}

Error not_a(std::string_view wanted, const json& value, const std::string& path) {
  return wrong(path, "must be " + std::string(wanted) + ", not " + std::string(type_of(value)));
}

// Characters, not bytes: that is how the API server counts.
std::size_t characters_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

Result<std::string> text_of(const json& value, const std::string& path) {
  if (!value.is_string())
    return not_a("a string", value, path);
  return value.get<std::string>();
}

Result<std::string> bounded_text(const json& value, const SpecField& field, const std::string& path) {
  auto text = TRY(text_of(value, path));
  const std::size_t length = characters_of(text);
  if (length > field.maximum)
    return wrong(path, "has " + std::to_string(length) + " characters; at most " + std::to_string(field.maximum) +
                           " are allowed");
  if (length < field.minimum)
    return wrong(path, "is empty");
  return text;
}

Result<std::uint64_t> bounded_number(const json& value, const SpecField& field, const std::string& path) {
  if (!value.is_number_integer())
    return not_a("a whole number", value, path);
  const bool is_below = value.is_number_unsigned()
                            ? value.get<std::uint64_t>() < field.minimum
                            : value.get<std::int64_t>() < static_cast<std::int64_t>(field.minimum);
  if (is_below)
    return wrong(path, value.dump() + " is less than " + std::to_string(field.minimum));
  const auto number = value.get<std::uint64_t>();
  if (number > field.maximum)
    return wrong(path, value.dump() + " is more than " + std::to_string(field.maximum));
  return number;
}

Result<std::chrono::seconds> bounded_time(const json& value, const SpecField& field, const std::string& path) {
  if (field.form != FieldForm::Duration)
    return std::chrono::seconds(TRY(bounded_number(value, field, path)));
  const auto text = TRY(text_of(value, path));
  const auto duration = duration_of(text);
  if (!duration)
    return wrong(path, duration.error().message);
  const std::chrono::seconds least(field.minimum);
  const std::chrono::seconds most(field.maximum);
  if (*duration < least)
    return wrong(path, text + " is less than " + duration_text(least));
  if (*duration > most)
    return wrong(path, text + " is more than " + duration_text(most));
  return *duration;
}

// ---- selectors

std::string member_path(std::string path, const std::string& name) {
  return path.append(".").append(name);
}

// `path` empty: of the object itself. A name that looks like a field's is told as one, so that clients find the place;
// any other text is only shown.
Error unknown_field(const std::string& path, const std::string& name, const std::string& known) {
  constexpr std::size_t kMaxName = 64;
  const bool is_plain = !name.empty() && name.size() <= kMaxName && std::ranges::all_of(name, [](char letter) {
    return (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z');
  });
  if (is_plain)
    return wrong(path.empty() ? name : member_path(path, name), "there is no such field; there are " + known);
  const std::string what = in_quotes(name) + " is no field; there are " + known;
  return path.empty() ? refuse(EINVAL, what) : wrong(path, what);
}

Result<> check_members(const json& object, std::initializer_list<std::string_view> known, const std::string& path) {
  for (const auto& [name, unused] : object.items())
    if (std::ranges::find(known, name) == known.end())
      return unknown_field(path, name, listed(known));
  return {};
}

Result<> check_label_key(std::string_view text, const std::string& path) {
  if (!is_label_key(text))
    return wrong(path, in_quotes(text) + " is no name of a label");
  return {};
}

Result<std::string> label_value(const json& value, const std::string& path) {
  auto text = TRY(text_of(value, path));
  if (!is_label_value(text))
    return wrong(path, in_quotes(text) + " is no value of a label");
  return text;
}

Result<std::map<std::string, std::string>> match_labels(const json& value, const std::string& path) {
  if (!value.is_object())
    return not_a("an object", value, path);
  if (value.size() > kMaxSelectorLabels)
    return wrong(path, "has more than " + std::to_string(kMaxSelectorLabels) + " labels");
  std::map<std::string, std::string> labels;
  for (const auto& [key, label] : value.items()) {
    TRY(check_label_key(key, path));
    labels.emplace(key, TRY(label_value(label, member_path(path, key))));
  }
  return labels;
}

Result<std::vector<std::string>> requirement_values(const json& value, const std::string& path) {
  if (!value.is_array())
    return not_a("a list", value, path);
  if (value.size() > kMaxSelectorValues)
    return wrong(path, "has more than " + std::to_string(kMaxSelectorValues) + " values");
  std::vector<std::string> values;
  for (std::size_t i = 0; i < value.size(); ++i)
    values.push_back(TRY(label_value(value[i], path + "[" + std::to_string(i) + "]")));
  return values;
}

Result<SelectorSpec::Requirement> requirement_of(const json& value, const std::string& path) {
  if (!value.is_object())
    return not_a("an object", value, path);
  TRY(check_members(value, {"key", "operator", "values"}, path));
  for (const char* needed : {"key", "operator"})
    if (!value.contains(needed))
      return wrong(path + "." + needed, "is missing");
  SelectorSpec::Requirement read;
  read.key = TRY(text_of(value["key"], path + ".key"));
  TRY(check_label_key(read.key, path + ".key"));
  read.op = TRY(text_of(value["operator"], path + ".operator"));
  if (std::ranges::find(kSelectorOperators, read.op) == std::end(kSelectorOperators))
    return wrong(path + ".operator", in_quotes(read.op) + " is not one of " + listed(kSelectorOperators));
  if (value.contains("values"))
    read.values = TRY(requirement_values(value["values"], path + ".values"));
  const bool takes_values = read.op == "In" || read.op == "NotIn";
  if (takes_values == read.values.empty())
    return wrong(path + ".values",
                 takes_values ? "In and NotIn need one value at least" : "Exists and DoesNotExist take no values");
  return read;
}

Result<std::vector<SelectorSpec::Requirement>> match_expressions(const json& value, const std::string& path) {
  if (!value.is_array())
    return not_a("a list", value, path);
  if (value.size() > kMaxSelectorRequirements)
    return wrong(path, "has more than " + std::to_string(kMaxSelectorRequirements) + " requirements");
  std::vector<SelectorSpec::Requirement> requirements;
  for (std::size_t i = 0; i < value.size(); ++i)
    requirements.push_back(TRY(requirement_of(value[i], path + "[" + std::to_string(i) + "]")));
  return requirements;
}

Result<SelectorSpec> selector_of(const json& value, const std::string& path) {
  if (!value.is_object())
    return not_a("an object", value, path);
  TRY(check_members(value, {"matchLabels", "matchExpressions"}, path));
  SelectorSpec selector;
  if (value.contains("matchLabels"))
    selector.match_labels = TRY(match_labels(value["matchLabels"], path + ".matchLabels"));
  if (value.contains("matchExpressions"))
    selector.match_expressions = TRY(match_expressions(value["matchExpressions"], path + ".matchExpressions"));
  return selector;
}

// ---- fields

Result<std::vector<std::string>> items_of(const json& value, const SpecField& field, const std::string& path) {
  if (!value.is_array())
    return not_a("a list", value, path);
  if (value.size() > field.max_items)
    return wrong(path, "has " + std::to_string(value.size()) + " items; at most " + std::to_string(field.max_items) +
                           " are allowed");
  std::vector<std::string> items;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const std::string place = path + "[" + std::to_string(i) + "]";
    items.push_back(TRY(bounded_text(value[i], field, place)));
    if (field.form == FieldForm::PodName && !is_dns_subdomain(items.back()))
      return wrong(place, in_quotes(items.back()) + " is no name of a pod");
  }
  if (field.form == FieldForm::PodName && items.empty())
    return wrong(path, "needs one name at least");
  return items;
}

Result<ProbeSet> probe_set_of(const json& value, const std::string& path) {
  const auto name = TRY(text_of(value, path));
  const auto* found = std::ranges::find(kProbeSetNames, name);
  if (found == std::end(kProbeSetNames))
    return wrong(path, in_quotes(name) + " is not one of " + listed(kProbeSetNames));
  return static_cast<ProbeSet>(found - std::begin(kProbeSetNames));
}

Result<> read_field(const SpecField& field, const json& value, TraceSessionSpec& spec) {
  const std::string path = "spec." + std::string(field.name);
  return std::visit(Overloaded{
                        [&](std::string TraceSessionSpec::*member) -> Result<> {
                          spec.*member = TRY(bounded_text(value, field, path));
                          return {};
                        },
                        [&](bool TraceSessionSpec::*member) -> Result<> {
                          if (!value.is_boolean())
                            return not_a("true or false", value, path);
                          spec.*member = value.get<bool>();
                          return {};
                        },
                        [&](ProbeSet TraceSessionSpec::*member) -> Result<> {
                          spec.*member = TRY(probe_set_of(value, path));
                          return {};
                        },
                        [&](std::uint32_t TraceSessionSpec::*member) -> Result<> {
                          spec.*member = static_cast<std::uint32_t>(TRY(bounded_number(value, field, path)));
                          return {};
                        },
                        [&](std::uint64_t TraceSessionSpec::*member) -> Result<> {
                          spec.*member = TRY(bounded_number(value, field, path));
                          return {};
                        },
                        [&](std::chrono::seconds TraceSessionSpec::*member) -> Result<> {
                          spec.*member = TRY(bounded_time(value, field, path));
                          return {};
                        },
                        [&](std::vector<std::string> TraceSessionSpec::*member) -> Result<> {
                          spec.*member = TRY(items_of(value, field, path));
                          return {};
                        },
                        [&](std::optional<SelectorSpec> TraceSessionSpec::*member) -> Result<> {
                          spec.*member = TRY(selector_of(value, path));
                          return {};
                        },
                    },
                    field.member);
}

const SpecField* find_field(SessionKind kind, std::string_view name) {
  const auto fields = spec_fields();
  const auto found = std::ranges::find_if(
      fields, [&](const SpecField& field) { return field.name == name && field.belongs_to(kind); });
  return found == fields.end() ? nullptr : &*found;
}

std::string field_names(SessionKind kind) {
  std::vector<std::string_view> names;
  for (const SpecField& field : spec_fields())
    if (field.belongs_to(kind))
      names.push_back(field.name);
  return listed(names);
}

Result<TraceSessionSpec> spec_of(SessionKind kind, const json& value) {
  if (!value.is_object())
    return not_a("an object", value, "spec");
  TraceSessionSpec spec;
  for (const auto& [name, content] : value.items()) {
    const SpecField* field = find_field(kind, name);
    if (field == nullptr)
      return unknown_field("spec", name, field_names(kind));
    TRY(read_field(*field, content, spec));
  }
  if (const auto name = looked_up_name(spec.filter); !name.empty())
    return wrong("spec.filter", in_quotes(name) + " is a name, which is not looked up on nodes: give its address");
  for (const SpecRule& rule : spec_rules())
    if (rule.kind == kind && !rule.holds(spec))
      return wrong("spec", std::string(rule.message));
  return spec;
}

// ---- the whole object

Result<SessionKind> kind_of(const json& object) {
  const std::string version = std::string(kSessionGroup) + "/" + std::string(kSessionVersion);
  for (const char* needed : {"apiVersion", "kind", "metadata", "spec"})
    if (!object.contains(needed))
      return wrong(needed, "is missing");
  if (const auto text = TRY(text_of(object["apiVersion"], "apiVersion")); text != version)
    return wrong("apiVersion", in_quotes(text) + " is not " + version);
  const auto name = TRY(text_of(object["kind"], "kind"));
  for (const SessionKind kind : kSessionKinds)
    if (names_of(kind).kind == name)
      return kind;
  return wrong("kind", in_quotes(name) + " is not TraceSession or ClusterTraceSession");
}

Result<SessionKey> key_of(SessionKind kind, const json& metadata) {
  if (!metadata.is_object())
    return not_a("an object", metadata, "metadata");
  SessionKey key;
  if (!metadata.contains("name"))
    return wrong("metadata.name", "is missing");
  key.name = TRY(text_of(metadata["name"], "metadata.name"));
  if (!is_dns_subdomain(key.name))
    return wrong("metadata.name", in_quotes(key.name) + " is no name of an object: small letters, digits, '-' and '.'");
  const bool has_namespace = metadata.contains("namespace");
  if (has_namespace)
    key.namespace_name = TRY(text_of(metadata["namespace"], "metadata.namespace"));
  if (kind == SessionKind::ClusterTraceSession) {
    if (has_namespace)
      return wrong("metadata.namespace", "a ClusterTraceSession has none");
  } else if (!has_namespace) {
    return wrong("metadata.namespace", "is missing");
  } else if (!is_dns_label(key.namespace_name)) {
    return wrong("metadata.namespace", in_quotes(key.namespace_name) + " is no name of a namespace");
  }
  return key;
}

// ---- printing

json as_json(const SelectorSpec& selector) {
  json object = json::object();
  if (!selector.match_labels.empty())
    object["matchLabels"] = selector.match_labels;
  for (const auto& one : selector.match_expressions) {
    json requirement = {{"key", one.key}, {"operator", one.op}};
    if (!one.values.empty())
      requirement["values"] = one.values;
    object["matchExpressions"].push_back(std::move(requirement));
  }
  return object;
}

json as_json(SessionKind kind, const TraceSessionSpec& spec) {
  json object = json::object();
  for (const SpecField& field : spec_fields()) {
    if (!field.belongs_to(kind))
      continue;
    const std::string name(field.name);
    std::visit(Overloaded{
                   [&](std::chrono::seconds TraceSessionSpec::*member) {
                     if (field.form == FieldForm::Duration)
                       object[name] = duration_text(spec.*member);
                     else
                       object[name] = (spec.*member).count();
                   },
                   [&](ProbeSet TraceSessionSpec::*member) {
                     object[name] = kProbeSetNames[static_cast<std::size_t>(spec.*member)];
                   },
                   [&](std::vector<std::string> TraceSessionSpec::*member) {
                     if (!(spec.*member).empty())
                       object[name] = spec.*member;
                   },
                   [&](std::optional<SelectorSpec> TraceSessionSpec::*member) {
                     if (spec.*member)
                       object[name] = as_json(*(spec.*member));
                   },
                   [&](auto member) { object[name] = spec.*member; },
               },
               field.member);
  }
  return object;
}

json as_json(const TopDrop& drop) {
  return {{"reason", drop.reason}, {"function", drop.function}, {"count", drop.count}};
}

json as_json(const TopPath& path) {
  return {{"functions", path.functions},
          {"packets", path.packets},
          {"medianNs", path.median_ns},
          {"p99Ns", path.p99_ns},
          {"end", path.end}};
}

template <class Entry>
void put_entries(json& object, const std::string& name, const std::vector<Entry>& entries) {
  for (const Entry& entry : entries)
    object[name].push_back(as_json(entry));
}

// ---- reading a status back

std::uint64_t count_at(const json& object, const std::string& name) {
  const auto found = object.find(name);
  const bool is_count = found != object.end() && found->is_number_integer() &&
                        (found->is_number_unsigned() || found->get<std::int64_t>() >= 0);
  return is_count ? found->get<std::uint64_t>() : 0;
}

std::string text_at(const json& object, const std::string& name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

const json& list_at(const json& object, const std::string& name) {
  static const json kEmpty = json::array();
  const auto found = object.find(name);
  return found != object.end() && found->is_array() ? *found : kEmpty;
}

SessionPhase phase_at(const json& object, const std::string& name) {
  const auto* found = std::ranges::find(kPhaseNames, text_at(object, name));
  return found == std::end(kPhaseNames) ? SessionPhase::Pending
                                        : static_cast<SessionPhase>(found - std::begin(kPhaseNames));
}

std::vector<TopDrop> top_drops_at(const json& object, const std::string& name) {
  std::vector<TopDrop> drops;
  for (const json& entry : list_at(object, name))
    drops.push_back({text_at(entry, "reason"), text_at(entry, "function"), count_at(entry, "count")});
  return drops;
}

std::vector<TopPath> top_paths_at(const json& object, const std::string& name) {
  std::vector<TopPath> paths;
  for (const json& entry : list_at(object, name)) {
    TopPath path{.functions = {},
                 .packets = count_at(entry, "packets"),
                 .median_ns = count_at(entry, "medianNs"),
                 .p99_ns = count_at(entry, "p99Ns"),
                 .end = text_at(entry, "end")};
    for (const json& function : list_at(entry, "functions"))
      path.functions.push_back(function.is_string() ? function.get<std::string>() : std::string());
    paths.push_back(std::move(path));
  }
  return paths;
}

}  // namespace

Result<TraceSession> session_of(const json& object) {
  if (!object.is_object())
    return refuse(EINVAL, "the object must be an object of JSON, not " + std::string(type_of(object)));
  const SessionKind kind = TRY(kind_of(object));
  for (const auto& [name, unused] : object.items())
    if (name != "apiVersion" && name != "kind" && name != "metadata" && name != "spec" && name != "status")
      return unknown_field("", name, "apiVersion, kind, metadata and spec");
  const json& metadata = object["metadata"];
  TraceSession session{.key = TRY(key_of(kind, metadata))};
  session.uid = text_at(metadata, "uid");
  session.generation = static_cast<std::int64_t>(count_at(metadata, "generation"));
  session.spec = TRY(spec_of(kind, object["spec"]));
  return session;
}

json node_entry_of(const NodeStatus& status, const std::string& node) {
  json entry = {{"node", node}};
  for (const NodeField& field : node_fields()) {
    const std::string name(field.name);
    std::visit(Overloaded{
                   [&](std::int64_t NodeStatus::*member) {
                     if (status.*member != 0)
                       entry[name] = time_text(status.*member);
                   },
                   [&](SessionPhase NodeStatus::*member) { entry[name] = name_of(status.*member); },
                   [&](std::vector<TopDrop> NodeStatus::*member) { put_entries(entry, name, status.*member); },
                   [&](std::vector<TopPath> NodeStatus::*member) { put_entries(entry, name, status.*member); },
                   [&](auto member) { entry[name] = status.*member; },
               },
               field.member);
  }
  return entry;
}

NodeStatus node_status_of(const json& entry) {
  NodeStatus status;
  for (const NodeField& field : node_fields()) {
    const std::string name(field.name);
    std::visit(
        Overloaded{
            [&](std::int64_t NodeStatus::*member) { status.*member = time_of(text_at(entry, name)).value_or(0); },
            [&](SessionPhase NodeStatus::*member) { status.*member = phase_at(entry, name); },
            [&](std::vector<TopDrop> NodeStatus::*member) { status.*member = top_drops_at(entry, name); },
            [&](std::vector<TopPath> NodeStatus::*member) { status.*member = top_paths_at(entry, name); },
            [&](std::string NodeStatus::*member) { status.*member = text_at(entry, name); },
            [&](std::uint64_t NodeStatus::*member) { status.*member = count_at(entry, name); },
        },
        field.member);
  }
  return status;
}

json object_of(const TraceSession& session, const NodeStatus& status, const std::string& node) {
  const SessionKind kind = session.is_cluster() ? SessionKind::ClusterTraceSession : SessionKind::TraceSession;
  json metadata = {{"name", session.key.name}};
  if (!session.is_cluster())
    metadata["namespace"] = session.key.namespace_name;
  if (!session.uid.empty())
    metadata["uid"] = session.uid;
  if (session.generation != 0)
    metadata["generation"] = session.generation;
  json overall = {
      {"phase", name_of(status.phase)}, {"nodesTotal", 1},     {"packets", status.packets},
      {"drops", status.drops},          {"lost", status.lost}, {"nodes", json::array({node_entry_of(status, node)})}};
  if (status.started_s != 0)
    overall["startTime"] = time_text(status.started_s);
  if (status.ended_s != 0)
    overall["completionTime"] = time_text(status.ended_s);
  return {{"apiVersion", std::string(kSessionGroup) + "/" + std::string(kSessionVersion)},
          {"kind", names_of(kind).kind},
          {"metadata", std::move(metadata)},
          {"spec", as_json(kind, session.spec)},
          {"status", std::move(overall)}};
}

std::string selector_text(const SelectorSpec& selector) {
  std::string text;
  const auto joined = [](const std::vector<std::string>& values) {
    std::string list;
    for (std::size_t i = 0; i < values.size(); ++i)
      list += (i == 0 ? "" : ",") + values[i];
    return list;
  };
  const auto add = [&](const std::string& requirement) { text += (text.empty() ? "" : ",") + requirement; };
  for (const auto& [key, value] : selector.match_labels)
    add(std::string(key).append("=").append(value));
  for (const auto& one : selector.match_expressions) {
    if (one.op == "Exists") {
      add(one.key);
    } else if (one.op == "DoesNotExist") {
      add("!" + one.key);
    } else if (one.values.size() == 1) {
      // Also of the empty value, which "in ()" would not be.
      add(one.key + (one.op == "In" ? "=" : "!=") + one.values.front());
    } else {
      add(one.key + (one.op == "In" ? " in (" : " notin (") + joined(one.values) + ")");
    }
  }
  return text;
}

}  // namespace skbtrail
