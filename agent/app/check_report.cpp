#include "app/check_report.h"

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "base/json_value.h"
#include "kernel/backend_choice.h"
#include "kernel/drop_reasons.h"
#include "kernel/features.h"
#include "kernel/function_catalogue.h"
#include "kernel/kallsyms.h"
#include "kernel/skb_functions.h"

namespace skbtrail {
namespace {

constexpr std::size_t kNameWidth = 24;

// pwru reads arguments 1 to 5 only.
constexpr std::uint8_t kLastArgumentOfPwru = 4;

struct NamedFeature {
  std::string_view name;
  const Feature KernelFeatures::*feature;
};

constexpr std::array kFeatures = {
    NamedFeature{"fentry.multi", &KernelFeatures::fentry_multi},
    NamedFeature{"kprobe.multi", &KernelFeatures::kprobe_multi},
    NamedFeature{"kprobe", &KernelFeatures::kprobe},
    NamedFeature{"fentry", &KernelFeatures::fentry},
    NamedFeature{"kprobe.session", &KernelFeatures::kprobe_session},
    NamedFeature{"ring buffer", &KernelFeatures::ring_buffer},
    NamedFeature{"function address", &KernelFeatures::function_ip},
    NamedFeature{"attach cookie", &KernelFeatures::attach_cookie},
    NamedFeature{"netns cookie", &KernelFeatures::netns_cookie},
    NamedFeature{"drop reasons", &KernelFeatures::drop_reasons},
    NamedFeature{"drop socket", &KernelFeatures::drop_socket},
};

struct UnseenByPwru {
  std::size_t only_const = 0;
  std::size_t double_pointer = 0;
  std::size_t deep_argument = 0;
  std::size_t total() const { return only_const + double_pointer + deep_argument; }
};

UnseenByPwru unseen_by_pwru(const std::vector<KernelFunction>& functions) {
  UnseenByPwru unseen;
  for (const KernelFunction& function : functions) {
    if (function.only_const)
      ++unseen.only_const;
    else if (function.kind == SkbKind::DoublePointer)
      ++unseen.double_pointer;
    else if (function.skb_argument > kLastArgumentOfPwru)
      ++unseen.deep_argument;
  }
  return unseen;
}

// Most frequent first.
std::vector<std::pair<std::string, std::size_t>> by_reason(const std::vector<RefusedFunction>& refused) {
  std::map<std::string, std::size_t> counts;
  for (const RefusedFunction& one : refused)
    ++counts[one.reason];
  std::vector<std::pair<std::string, std::size_t>> sorted{counts.begin(), counts.end()};
  std::ranges::stable_sort(sorted, std::ranges::greater{}, [](const auto& entry) { return entry.second; });
  return sorted;
}

std::size_t beyond_fentry_multi(const FunctionCatalogue& functions) {
  return static_cast<std::size_t>(std::ranges::count_if(
      functions.attachable, [](const KernelFunction& function) { return fentry_multi_refusal(function).has_value(); }));
}

// Functions with addresses; all refused when the kernel hides something that is needed.
FunctionCatalogue catalogue_or_refusals(const HostRoot& host, const KernelBtf& types, CheckReport& report) {
  auto functions = find_skb_functions(types);
  const auto symbols = Kallsyms::read(host);
  if (!symbols) {
    report.obstacles.push_back(symbols.error().message);
    return refuse_all(std::move(functions), "kernel addresses are hidden");
  }
  auto catalogue = read_catalogue(host, functions, *symbols);
  if (catalogue)
    return std::move(*catalogue);
  report.obstacles.push_back(catalogue.error().message);
  return refuse_all(std::move(functions), "the list of functions that can be probed is not readable");
}

void examine_types(const HostRoot& host, const KernelBtf& types, CheckReport& report) {
  report.functions = catalogue_or_refusals(host, types, report);
  report.features = probe_features(host, types.vmlinux(), trial_function(report.functions));
  const auto reasons = DropReasons::read(host, types);
  report.drop_reasons = reasons.size();
  report.drop_subsystems = reasons.subsystems();
}

std::string padded(std::string_view text, std::size_t width) {
  std::string result{text};
  result.resize(std::max(result.size() + 1, width), ' ');
  return result;
}

std::string line(std::string_view name, std::string_view value) {
  return padded(name, kNameWidth) + std::string(value) + "\n";
}

std::string detail(std::string_view name, std::string_view value) {
  return line("  " + std::string(name), value);
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names)
    text += (text.empty() ? "" : ", ") + (name.empty() ? "(unnamed)" : name);
  return text;
}

std::string features_table(const KernelFeatures& features) {
  std::string text = "features\n";
  for (const auto& [name, feature] : kFeatures)
    text += detail(name, (features.*feature).available ? "yes" : "no: " + (features.*feature).why_not);
  return text;
}

std::string capabilities_table(const std::vector<MissingCapability>& missing) {
  if (missing.empty())
    return line("capabilities", "none missing");
  std::string text = "capabilities missing\n";
  for (const MissingCapability& one : missing)
    text += detail(one.name, one.lost);
  return text;
}

std::string placement(const KernelFunction& function) {
  const std::string_view type = function.only_const                       ? "const sk_buff *"
                                : function.kind == SkbKind::DoublePointer ? "sk_buff **"
                                                                          : "sk_buff *";
  return std::string(type) + " in slot " + std::to_string(function.skb_argument);
}

std::string functions_table(const FunctionCatalogue& functions, const ListedFunctions& listed) {
  const auto unseen = unseen_by_pwru(functions.attachable);
  std::string text = "functions with a packet\n";
  text += detail("found", std::to_string(functions.found()));
  text += detail("attachable", std::to_string(functions.attachable.size()));
  text += detail("  pwru would not see", std::to_string(unseen.total()) + " (const only " +
                                             std::to_string(unseen.only_const) + ", sk_buff ** " +
                                             std::to_string(unseen.double_pointer) + ", after argument 5 " +
                                             std::to_string(unseen.deep_argument) + ")");
  text += detail("  not by fentry.multi", std::to_string(beyond_fentry_multi(functions)));
  text += detail("refused", std::to_string(functions.refused.size()));
  for (const auto& [reason, count] : by_reason(functions.refused))
    text += detail("  " + std::to_string(count), reason);
  if (listed.attachable)
    for (const KernelFunction& function : functions.attachable)
      text += "  " + padded(function_key(function.name, function.module), 40) + placement(function) + "\n";
  if (listed.refused)
    for (const auto& [function, reason] : functions.refused)
      text += "  " + padded(function_key(function.name, function.module), 40) + reason + "\n";
  return text;
}

nlohmann::ordered_json feature_json(std::string_view name, const Feature& feature) {
  nlohmann::ordered_json json = {{"name", name}, {"available", feature.available}};
  json["why_not"] = feature.available ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(feature.why_not);
  return json;
}

nlohmann::ordered_json module_json(const KernelFunction& function) {
  return function.module.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(function.module);
}

nlohmann::ordered_json functions_json(const FunctionCatalogue& functions, const ListedFunctions& listed) {
  const auto unseen = unseen_by_pwru(functions.attachable);
  nlohmann::ordered_json json = {
      {"found", functions.found()},
      {"attachable", functions.attachable.size()},
      {"refused", functions.refused.size()},
      {"unseen_by_pwru",
       {{"const_only", unseen.only_const},
        {"double_pointer", unseen.double_pointer},
        {"after_argument_5", unseen.deep_argument}}},
      {"beyond_fentry_multi", beyond_fentry_multi(functions)},
      {"refused_by_reason", nlohmann::ordered_json::array()},
  };
  for (const auto& [reason, count] : by_reason(functions.refused))
    json["refused_by_reason"].push_back({{"reason", reason}, {"count", count}});
  if (listed.attachable) {
    json["attachable_functions"] = nlohmann::ordered_json::array();
    for (const KernelFunction& function : functions.attachable)
      json["attachable_functions"].push_back({{"name", function.name},
                                              {"module", module_json(function)},
                                              {"slot", function.skb_argument},
                                              {"double_pointer", function.kind == SkbKind::DoublePointer},
                                              {"only_const", function.only_const}});
  }
  if (listed.refused) {
    json["refused_functions"] = nlohmann::ordered_json::array();
    for (const auto& [function, reason] : functions.refused)
      json["refused_functions"].push_back(
          {{"name", function.name}, {"module", module_json(function)}, {"reason", reason}});
  }
  return json;
}

}  // namespace

Result<CheckReport> examine(const HostRoot& host, const BtfRequest& request) {
  CheckReport report;
  if (const auto types = KernelBtf::load(host, request)) {
    examine_types(host, *types, report);
  } else if (types.error().code == EINVAL) {
    return types.error();
  } else {
    report.obstacles.push_back(types.error().message);
    report.features = probe_features_without_types(host);
  }
  const auto backend = choose_backend(report.features, std::nullopt);
  if (backend)
    report.backend = *backend;
  else
    report.obstacles.push_back(backend.error().message);
  return report;
}

std::string as_table(const CheckReport& report, const ListedFunctions& listed) {
  std::string text = line("kernel", report.features.release);
  text += line("tracing", report.can_trace() ? "possible" : "not possible");
  for (const std::string& obstacle : report.obstacles)
    text += detail("", obstacle);
  text += line("backend", report.backend ? backend_name(*report.backend) : "none");
  text += features_table(report.features);
  text += capabilities_table(report.features.missing_capabilities);
  text += functions_table(report.functions, listed);
  text += line("drop reasons", report.drop_reasons == 0
                                   ? "none"
                                   : std::to_string(report.drop_reasons) + " (" + joined(report.drop_subsystems) + ")");
  return text;
}

std::string as_json(const CheckReport& report, const ListedFunctions& listed) {
  nlohmann::ordered_json json = {
      {"kernel", report.features.release},
      {"can_trace", report.can_trace()},
      {"obstacles", report.obstacles},
      {"backend", nullptr},
  };
  if (report.backend)
    json["backend"] = backend_name(*report.backend);
  json["features"] = nlohmann::ordered_json::array();
  for (const auto& [name, feature] : kFeatures)
    json["features"].push_back(feature_json(name, report.features.*feature));
  json["missing_capabilities"] = nlohmann::ordered_json::array();
  for (const auto& [name, lost] : report.features.missing_capabilities)
    json["missing_capabilities"].push_back({{"name", name}, {"lost", lost}});
  json["functions"] = functions_json(report.functions, listed);
  json["drop_reasons"] = {{"known", report.drop_reasons}, {"subsystems", report.drop_subsystems}};
  return json_text(json, 2) + "\n";
}

}  // namespace skbtrail
