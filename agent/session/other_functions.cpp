#include "session/other_functions.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "kernel/function_catalogue.h"

namespace skbtrail {
namespace {

constexpr std::string_view kFlag = "--filter-non-skb-funcs";

// A name may stand for functions of several modules. One that kallsyms does not have is asked for as vmlinux's, so that
// it gets its reason.
std::vector<KernelFunction> in_all_modules(std::span<const std::string> names, const Kallsyms& symbols) {
  std::set<std::string_view> unseen(names.begin(), names.end());
  const std::set<std::string_view> wanted = unseen;
  std::set<std::pair<std::string, std::string>> places;
  symbols.for_each([&](std::uint64_t, std::string_view name, std::string_view module) {
    if (!wanted.contains(name))
      return;
    unseen.erase(name);
    places.emplace(name, module);
  });
  for (const auto name : unseen)
    places.emplace(name, "");
  std::vector<KernelFunction> functions;
  for (const auto& [name, module] : places) {
    auto& function = functions.emplace_back();
    function.name = name;
    function.module = module;
    function.kind = SkbKind::None;
  }
  return functions;
}

bool has(std::span<const KernelFunction> functions, std::string_view name) {
  return std::ranges::find(functions, name, &KernelFunction::name) != functions.end();
}

std::string reason_of(const FunctionCatalogue& found, std::string_view name) {
  const auto refused =
      std::ranges::find(found.refused, name, [](const auto& one) { return std::string_view(one.function.name); });
  return refused != found.refused.end() ? refused->reason : "kallsyms does not have it";
}

Error cannot_be_traced(std::string message, const std::string& reason) {
  message += ": it cannot be traced here (";
  message += reason;
  message += "): write the name of a function that /sys/kernel/tracing/available_filter_functions has";
  return refuse(EINVAL, message);
}

}  // namespace

FunctionCatalogue look_up_functions(std::span<const std::string> names, const FunctionListings& listings) {
  auto functions = in_all_modules(names, listings.symbols);
  auto probeable = parse_probeable(listings.traceable, Listing::Names, listings.blacklist, functions);
  return complete_catalogue(listings.host, std::move(functions), std::move(probeable), listings.symbols);
}

Result<std::vector<KernelFunction>> named_functions(std::span<const std::string> names,
                                                    const FunctionCatalogue& packets,
                                                    const FunctionListings& listings) {
  if (names.empty())
    return std::vector<KernelFunction>{};
  auto found = look_up_functions(names, listings);
  for (const auto& name : names) {
    const std::string object = std::string(kFlag) + " '" + name + "'";
    if (has(packets.attachable, name))
      return refuse(EINVAL, object + ": it takes a packet, so it is traced without being named here; --filter-func " +
                                "chooses among those");
    if (has(found.attachable, name))
      continue;
    return cannot_be_traced(object, reason_of(found, name));
  }
  return std::move(found.attachable);
}

}  // namespace skbtrail
