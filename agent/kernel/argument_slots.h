#pragma once
// Where arguments are when a function is entered, by the CPU's ABI and by BPF's trampolines.

#include <cstdint>
#include <span>
#include <vector>

namespace skbtrail {

// How an ABI passes arguments. Slots below `registers` are registers, those from it on words of the stack; the BPF side
// knows where that begins (kernel_compat.h).
struct CallingConvention {
  std::uint8_t registers = 0;
  bool large_by_reference = false;     // a struct of more than 16 bytes is a pointer to it; else it is on the stack
  bool large_result_in_first = false;  // its address takes the first of these registers; else another register
  bool stack_ends_registers = false;   // behind an argument on the stack none is in a register
};
inline constexpr CallingConvention kSystemV{.registers = 6, .large_result_in_first = true};  // x86-64
inline constexpr CallingConvention kAapcs64{.registers = 8, .large_by_reference = true, .stack_ends_registers = true};
#if defined(__x86_64__)
inline constexpr CallingConvention kOwnConvention = kSystemV;
#elif defined(__aarch64__)
inline constexpr CallingConvention kOwnConvention = kAapcs64;
#else
#error "skbtrail knows the calling conventions of x86-64 and arm64 only"
#endif

struct ArgumentShape {
  std::uint32_t bytes = 8;
  bool aggregate = false;  // a struct or union by value
};

struct Signature {
  ArgumentShape result;
  std::vector<ArgumentShape> arguments;
};

struct ArgumentPlace {
  std::uint8_t at_entry = 0;   // slot as a kprobe finds it
  std::uint8_t in_fentry = 0;  // index for bpf_get_func_arg()
};

struct ArgumentLayout {
  std::vector<ArgumentPlace> places;  // one per argument
  std::uint8_t slots = 0;             // all of them together, as trampolines count
  bool fentry_refuses = false;        // a shape that the kernel's btf_distill_func_proto() turns down
};

ArgumentLayout lay_out(const Signature& signature, const CallingConvention& convention = kOwnConvention);

}  // namespace skbtrail
