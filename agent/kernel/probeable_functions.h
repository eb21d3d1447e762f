#pragma once
// ProbeableFunctions: which of some functions the kernel lets us probe, by what ftrace and kprobes publish.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/result.h"
#include "kernel/host_root.h"
#include "model/kernel_function.h"

namespace skbtrail {

// How tracefs and kallsyms spell a function: "ip_rcv", or "nft_do_chain [nf_tables]".
std::string function_key(std::string_view name, std::string_view module);

struct Traceable {
  std::size_t count = 0;               // functions of that name
  std::vector<std::uint64_t> sites{};  // their call sites, when the listing has them
};

struct ProbeableFunctions {
  std::unordered_map<std::string, Traceable> traceable;  // by function_key()
  // Of these only copies exist whose arguments the compiler may have changed: name.isra.0, name.constprop.0.
  std::unordered_set<std::string> cloned;
  std::unordered_set<std::string> blacklisted;  // for single kprobes; the other backends do not use breakpoints
};

enum class Listing : std::uint8_t {
  Names,  // available_filter_functions: "NAME" or "NAME [MODULE]"
  Sites,  // available_filter_functions_addrs: the same behind the address of the call site
};

// Only the functions asked for are kept, whatever else the text lists.
ProbeableFunctions parse_traceable(std::string_view text, Listing listing, std::span<const KernelFunction> functions);

// Lines of debugfs kprobes/blacklist: "0xSTART-0xEND\tNAME".
std::unordered_set<std::string> parse_blacklist(std::string_view text, std::span<const KernelFunction> functions);

// What the kernel publishes, as it is. Printing it takes the kernel a third of a second, during which the caller can
// find out what to look for in it.
using ProbeableListing = std::string;  // available_filter_functions, or the one with call sites
using KprobeBlacklist = std::string;   // kprobes/blacklist

// Fails when tracefs cannot be read: nothing would be known to be probeable. The error says what to mount.
Result<ProbeableListing> read_probeable_listing(const HostRoot& host);
// 6.5. Takes the kernel half as long again, and spares whoever needs no names the reading of all symbols.
bool has_call_sites(const HostRoot& host);
Result<ProbeableListing> read_call_sites(const HostRoot& host);
// Empty without debugfs: then attaching finds out.
Result<KprobeBlacklist> read_kprobe_blacklist(const HostRoot& host);

// Both, parsed.
ProbeableFunctions parse_probeable(const ProbeableListing& traceable, Listing form, const KprobeBlacklist& blacklist,
                                   std::span<const KernelFunction> functions);

// All of it, read and parsed.
Result<ProbeableFunctions> read_probeable(const HostRoot& host, std::span<const KernelFunction> wanted);

}  // namespace skbtrail
