#pragma once
// Where arguments are when a function is entered, by the System V ABI of x86-64 and by BPF's trampolines.

#include <cstdint>
#include <span>
#include <vector>

namespace skbtrail {

// Slots 0 to 5 are registers; from 6 on they are words of the stack above the return address.
inline constexpr std::uint8_t kArgumentRegisters = 6;

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

ArgumentLayout lay_out(const Signature& signature);

}  // namespace skbtrail
