#pragma once
// KernelFunction: one kernel function that takes a packet, and why it can or cannot be probed.

#include <cstdint>
#include <string>
#include <vector>

namespace skbtrail {

// How a function takes a packet; values follow enum trace_skb_kind.
enum class SkbKind : std::uint8_t { Pointer, DoublePointer, None };

struct KernelFunction {
  std::string name;
  std::string module;             // empty: vmlinux
  std::uint8_t skb_argument = 0;  // slot of the packet at function entry, from 0: registers, then stack words
  SkbKind kind = SkbKind::Pointer;
  bool only_const = false;          // declared `const struct sk_buff *` (pwru never sees these)
  std::uint8_t argument_count = 0;  // in slots of 8 bytes; a struct by value may take two
  bool variadic = false;
  bool kprobe_only = false;  // structs by value that BPF trampolines refuse or place differently
  std::uint32_t btf_id = 0;  // in the BTF of its module, or of vmlinux
  // Of its entry, from kallsyms, or of its call site, from ftrace; ascending, several when the name is not unique.
  std::vector<std::uint64_t> addresses;
  friend bool operator==(const KernelFunction&, const KernelFunction&) = default;
};

// A function that takes a packet and cannot be traced here.
struct RefusedFunction {
  KernelFunction function;
  std::string reason;  // one sentence without a full stop
};

struct FunctionCatalogue {
  std::vector<KernelFunction> attachable;  // sorted by name, then module
  std::vector<RefusedFunction> refused;
  std::size_t found() const { return attachable.size() + refused.size(); }
};

}  // namespace skbtrail
