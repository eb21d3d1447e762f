#include "session/selector_object.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "base/shown_text.h"
#include "pods/label_syntax.h"
#include "session/object_check.h"
#include "session/session_schema.h"

namespace skbtrail {

using nlohmann::json;

namespace {

Result<> check_label_key(std::string_view text, const std::string& path) {
  if (!is_label_key(text))
    return wrong(path, in_quotes(text) + " is no name of a label");
  return {};
}

Result<std::string> label_value(const json& value, const std::string& path) {
  auto text = TRY(checked_text(value, path));
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
  read.key = TRY(checked_text(value["key"], path + ".key"));
  TRY(check_label_key(read.key, path + ".key"));
  read.op = TRY(checked_text(value["operator"], path + ".operator"));
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

}  // namespace

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
