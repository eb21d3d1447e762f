#include "kernel/function_catalogue.h"

#include <algorithm>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>

namespace skbtrail {
namespace {

// A call site of ftrace lies at the entry of its function or just behind: an endbr64 of x86-64 has 4 bytes, a bti and
// the instruction that saves the link register on arm64 8.
constexpr std::uint64_t kFarthestSite = 16;

// 7.2, include/linux/bpf.h: MAX_BPF_FUNC_ARGS.
constexpr std::uint8_t kMostTrampolineArguments = 12;

constexpr std::string_view kNotTraceable =
    "not in available_filter_functions: inlined everywhere, marked notrace or compiled out";
constexpr std::string_view kOnlyClones =
    "only copies of it exist (.isra, .constprop, .part) whose arguments the compiler may have changed";
constexpr std::string_view kNoAddress = "kallsyms does not know its address";
constexpr std::string_view kBlacklisted = "on the kernel's kprobe blacklist";
constexpr std::string_view kAmbiguous = "several functions of this name take the packet at different places";

bool same_name(const KernelFunction& left, const KernelFunction& right) {
  return left.name == right.name && left.module == right.module;
}

bool same_place(const KernelFunction& left, const KernelFunction& right) {
  return left.skb_argument == right.skb_argument && left.kind == right.kind;
}

void sort_by_name(std::vector<KernelFunction>& functions) {
  std::ranges::stable_sort(functions, [](const KernelFunction& left, const KernelFunction& right) {
    return std::tie(left.name, left.module) < std::tie(right.name, right.module);
  });
}

using AddressesByKey = std::unordered_map<std::string, std::vector<std::uint64_t>>;

// One pass over all symbols: names are compared as views, and a key is built only for a name that is wanted.
AddressesByKey addresses_of(std::span<const KernelFunction> functions, const Kallsyms& symbols) {
  std::unordered_map<std::string_view, bool> names;
  for (const KernelFunction& function : functions)
    names.emplace(function.name, true);
  AddressesByKey addresses;
  symbols.for_each([&](std::uint64_t address, std::string_view name, std::string_view module) {
    if (!names.contains(name))
      return;
    auto& known = addresses[function_key(name, module)];
    if (known.empty() || known.back() != address)
      known.push_back(address);
  });
  return addresses;
}

// Of functions that share a name only those with a call site can be probed.
void keep_traceable(std::vector<std::uint64_t>& addresses, std::span<const std::uint64_t> sites) {
  std::erase_if(addresses, [&](std::uint64_t address) {
    return std::ranges::none_of(sites,
                                [&](std::uint64_t site) { return site >= address && site - address <= kFarthestSite; });
  });
}

class Judge final {
public:
  Judge(const ProbeableFunctions& probeable, AddressesByKey addresses)
      : probeable_(probeable), addresses_(std::move(addresses)) {}

  // Fills in the addresses; a reason when the function cannot be probed.
  std::optional<std::string_view> refusal(KernelFunction& function);

private:
  const ProbeableFunctions& probeable_;
  AddressesByKey addresses_;
};

std::optional<std::string_view> Judge::refusal(KernelFunction& function) {
  const std::string key = function_key(function.name, function.module);
  if (const auto known = addresses_.find(key); known != addresses_.end())
    function.addresses = known->second;
  const auto traceable = probeable_.traceable.find(key);
  if (traceable == probeable_.traceable.end())
    return probeable_.cloned.contains(key) ? kOnlyClones : kNotTraceable;
  if (probeable_.blacklisted.contains(key))
    return kBlacklisted;
  if (!traceable->second.sites.empty())
    keep_traceable(function.addresses, traceable->second.sites);
  if (function.addresses.empty())
    return kNoAddress;
  return std::nullopt;
}

FunctionCatalogue decide(std::vector<KernelFunction> functions, AddressesByKey addresses,
                         const ProbeableFunctions& probeable) {
  sort_by_name(functions);
  Judge judge{probeable, std::move(addresses)};
  FunctionCatalogue catalogue;
  for (auto first = functions.begin(); first != functions.end();) {
    const auto same = [&](const KernelFunction& other) { return same_name(*first, other); };
    const auto next = std::find_if_not(first, functions.end(), same);
    const bool agree = std::all_of(first, next, [&](const KernelFunction& other) { return same_place(*first, other); });
    auto reason = judge.refusal(*first);
    if (!reason && !agree)
      reason = kAmbiguous;
    if (reason)
      catalogue.refused.push_back({.function = std::move(*first), .reason = std::string(*reason)});
    else
      catalogue.attachable.push_back(std::move(*first));
    first = next;
  }
  return catalogue;
}

// A name with more addresses than functions that can be probed: only call sites tell which.
bool needs_call_sites(const AddressesByKey& addresses, const ProbeableFunctions& probeable) {
  return std::ranges::any_of(probeable.traceable, [&](const auto& entry) {
    const auto known = addresses.find(entry.first);
    return known != addresses.end() && known->second.size() > entry.second.count && entry.second.sites.empty();
  });
}

AddressesByKey sites_of(const ProbeableFunctions& probeable) {
  AddressesByKey addresses;
  for (const auto& [key, traceable] : probeable.traceable) {
    auto sites = traceable.sites;
    std::ranges::sort(sites);
    addresses.emplace(key, std::move(sites));
  }
  return addresses;
}

}  // namespace

FunctionCatalogue build_catalogue(std::vector<KernelFunction> functions, const Kallsyms& symbols,
                                  const ProbeableFunctions& probeable) {
  auto addresses = addresses_of(functions, symbols);
  return decide(std::move(functions), std::move(addresses), probeable);
}

FunctionCatalogue catalogue_of_sites(std::vector<KernelFunction> functions, const ProbeableFunctions& probeable) {
  return decide(std::move(functions), sites_of(probeable), probeable);
}

FunctionCatalogue refuse_all(std::vector<KernelFunction> functions, const std::string& reason) {
  sort_by_name(functions);
  FunctionCatalogue catalogue;
  for (KernelFunction& function : functions)
    if (catalogue.refused.empty() || !same_name(catalogue.refused.back().function, function))
      catalogue.refused.push_back({.function = std::move(function), .reason = reason});
  return catalogue;
}

Result<FunctionCatalogue> read_catalogue(const HostRoot& host, std::vector<KernelFunction> functions,
                                         const Kallsyms& symbols) {
  auto probeable = TRY(read_probeable(host, functions));
  return complete_catalogue(host, std::move(functions), std::move(probeable), symbols);
}

FunctionCatalogue complete_catalogue(const HostRoot& host, std::vector<KernelFunction> functions,
                                     ProbeableFunctions probeable, const Kallsyms& symbols) {
  auto addresses = addresses_of(functions, symbols);
  if (needs_call_sites(addresses, probeable))
    if (const auto sites = read_call_sites(host))
      probeable.traceable = std::move(parse_traceable(*sites, Listing::Sites, functions).traceable);
  return decide(std::move(functions), std::move(addresses), probeable);
}

std::optional<std::string> fentry_multi_refusal(const KernelFunction& function) {
  // 7.2: linking works when the program was loaded with the module's BTF as attach_btf_obj_fd; ids then are its own.
  if (!function.module.empty())
    return "fentry.multi needs a program of its own for each module";
  if (function.variadic)
    return "fentry.multi takes no function with a variable number of arguments";
  if (function.argument_count > kMostTrampolineArguments)
    return "fentry.multi takes functions with at most 12 arguments";
  if (function.kprobe_only)
    return "fentry.multi takes no structs by value of more than 16 bytes and none as result";
  if (function.addresses.size() > 1)
    return "fentry.multi needs a name that only one function has";
  return std::nullopt;
}

}  // namespace skbtrail
