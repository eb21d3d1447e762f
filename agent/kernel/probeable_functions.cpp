#include "kernel/probeable_functions.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

namespace skbtrail {
namespace {

constexpr std::array<std::string_view, 2> kTracefs = {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"};
constexpr const char* kNames = "/available_filter_functions";
constexpr const char* kSites = "/available_filter_functions_addrs";
constexpr std::string_view kBlacklist = "/sys/kernel/debug/kprobes/blacklist";

// Keys live in `keys`, so that looking up a line of the file copies nothing.
class Wanted final {
public:
  explicit Wanted(std::span<const KernelFunction> functions) {
    keys_.reserve(functions.size());
    for (const KernelFunction& function : functions)
      keys_.insert(function_key(function.name, function.module));
    views_.reserve(keys_.size());
    for (const std::string& key : keys_)
      views_.insert(key);
  }
  bool contains(std::string_view key) const { return views_.contains(key); }

private:
  std::unordered_set<std::string> keys_;
  std::unordered_set<std::string_view> views_;
};

template <class Visit>
void for_each_line(std::string_view text, Visit visit) {
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    visit(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

std::optional<std::uint64_t> take_address(std::string_view& line) {
  std::string_view digits = line;
  if (digits.starts_with("0x"))
    digits.remove_prefix(2);
  std::uint64_t address = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), address, 16);
  if (error != std::errc{} || end == digits.data() + digits.size() || *end != ' ')
    return std::nullopt;
  line = digits.substr(static_cast<std::size_t>(end - digits.data()) + 1);
  return address;
}

// "udp_queue.isra.0 [module]" is a copy of "udp_queue [module]".
std::optional<std::string> original_of_clone(std::string_view key) {
  const auto dot = key.find('.');
  if (dot == std::string_view::npos || dot == 0)
    return std::nullopt;
  const auto module = key.find(" [", dot);
  std::string original{key.substr(0, dot)};
  if (module != std::string_view::npos)
    original += key.substr(module);
  return original;
}

Result<ProbeableListing> read_listing(const HostRoot& host, const std::string& file) {
  std::optional<Error> why;
  for (const std::string_view directory : kTracefs) {
    auto text = host.read(std::string(directory) + file);
    // The first place is the usual one; the second counts when it is there and closed to us.
    if (!text && (!why || text.error().code != ENOENT))
      why = std::move(text.error());
    else if (text && !text->empty())
      return text;
  }
  return refuse(why && why->code != ENOENT ? EPERM : ENOTSUP,
                "the list of functions that can be probed is not readable (" + (why ? why->message : "it is empty") +
                    "): mount tracefs (mount -t tracefs tracefs /sys/kernel/tracing) and run as root, on a kernel "
                    "with CONFIG_DYNAMIC_FTRACE");
}

}  // namespace

std::string function_key(std::string_view name, std::string_view module) {
  std::string key{name};
  if (!module.empty())
    key.append(" [").append(module).append("]");
  return key;
}

ProbeableFunctions parse_traceable(std::string_view text, Listing listing, std::span<const KernelFunction> functions) {
  const Wanted wanted{functions};
  ProbeableFunctions probeable;
  for_each_line(text, [&](std::string_view line) {
    std::optional<std::uint64_t> site;
    if (listing == Listing::Sites) {
      site = take_address(line);
      if (!site)
        return;
    }
    if (wanted.contains(line)) {
      Traceable& traceable = probeable.traceable[std::string(line)];
      ++traceable.count;
      if (site)
        traceable.sites.push_back(*site);
    } else if (auto original = original_of_clone(line); original && wanted.contains(*original)) {
      probeable.cloned.insert(std::move(*original));
    }
  });
  return probeable;
}

std::unordered_set<std::string> parse_blacklist(std::string_view text, std::span<const KernelFunction> functions) {
  const Wanted wanted{functions};
  std::unordered_set<std::string> names;
  for_each_line(text, [&](std::string_view line) {
    const auto tab = line.find('\t');
    if (tab != std::string_view::npos && wanted.contains(line.substr(tab + 1)))
      names.emplace(line.substr(tab + 1));
  });
  return names;
}

bool has_call_sites(const HostRoot& host) {
  return std::ranges::any_of(kTracefs,
                             [&](std::string_view directory) { return host.exists(std::string(directory) + kSites); });
}

Result<ProbeableListing> read_call_sites(const HostRoot& host) {
  return read_listing(host, kSites);
}

Result<ProbeableListing> read_probeable_listing(const HostRoot& host) {
  return read_listing(host, kNames);
}

Result<KprobeBlacklist> read_kprobe_blacklist(const HostRoot& host) {
  auto text = host.read(kBlacklist);
  return text ? std::move(*text) : KprobeBlacklist();
}

ProbeableFunctions parse_probeable(const ProbeableListing& traceable, Listing form, const KprobeBlacklist& blacklist,
                                   std::span<const KernelFunction> functions) {
  auto probeable = parse_traceable(traceable, form, functions);
  probeable.blacklisted = parse_blacklist(blacklist, functions);
  return probeable;
}

Result<ProbeableFunctions> read_probeable(const HostRoot& host, std::span<const KernelFunction> wanted) {
  const auto traceable = TRY(read_probeable_listing(host));
  const auto blacklist = TRY(read_kprobe_blacklist(host));
  return parse_probeable(traceable, Listing::Names, blacklist, wanted);
}

}  // namespace skbtrail
