#include "kernel/argument_slots.h"

#include <algorithm>
#include <limits>

namespace skbtrail {
namespace {

// The ABI passes bigger aggregates in memory; trampolines refuse them (and any aggregate as result).
constexpr std::uint32_t kLargestInRegisters = 16;

std::uint8_t saturated(std::size_t slots) {
  return static_cast<std::uint8_t>(std::min<std::size_t>(slots, std::numeric_limits<std::uint8_t>::max()));
}

bool is_large(const ArgumentShape& shape) {
  return shape.aggregate && shape.bytes > kLargestInRegisters;
}

}  // namespace

ArgumentLayout lay_out(const Signature& signature, const CallingConvention& convention) {
  ArgumentLayout layout;
  layout.fentry_refuses = signature.result.aggregate;
  // A large result is written through a pointer.
  std::size_t registers = is_large(signature.result) && convention.large_result_in_first ? 1 : 0;
  std::size_t stack = convention.registers;
  std::size_t trampoline = 0;
  for (const ArgumentShape& shape : signature.arguments) {
    const std::size_t words = (std::size_t{shape.bytes} + 7) / 8;
    const bool by_reference = is_large(shape) && convention.large_by_reference;
    const std::size_t passed = by_reference ? 1 : words;
    // An argument goes whole into registers or whole onto the stack.
    const bool in_registers = (!is_large(shape) || by_reference) && registers + passed <= convention.registers;
    if (!in_registers && convention.stack_ends_registers)
      registers = convention.registers;
    std::size_t& next = in_registers ? registers : stack;
    layout.places.push_back({.at_entry = saturated(next), .in_fentry = saturated(trampoline)});
    next += passed;
    trampoline += words;
    layout.fentry_refuses |= is_large(shape) || words == 0;
  }
  layout.slots = saturated(std::max(trampoline, signature.arguments.size()));
  return layout;
}

}  // namespace skbtrail
