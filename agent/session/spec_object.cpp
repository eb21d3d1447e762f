#include "session/spec_object.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/overloaded.h"
#include "base/shown_text.h"
#include "filter/host_names.h"
#include "pods/label_syntax.h"
#include "session/object_check.h"
#include "session/selector_object.h"

namespace skbtrail {

using nlohmann::json;

namespace {

// Characters, not bytes: that is how the API server counts.
std::size_t characters_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

Result<std::string> bounded_text(const json& value, const SpecField& field, const std::string& path) {
  auto text = TRY(checked_text(value, path));
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
  const auto text = TRY(checked_text(value, path));
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
    if (field.form == FieldForm::PodReference && !is_dns_subdomain(items.back()))
      return wrong(place, in_quotes(items.back()) + " is no name of a pod");
  }
  if (field.form == FieldForm::PodReference && items.empty())
    return wrong(path, "needs one name at least");
  return items;
}

Result<ProbeSet> probe_set_of(const json& value, const std::string& path) {
  const auto name = TRY(checked_text(value, path));
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

}  // namespace

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

}  // namespace skbtrail
