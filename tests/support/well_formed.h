#pragma once
// What the verifier refuses whatever a program computes: jumps that leave it or go back, and code that nothing reaches.

#include <linux/bpf.h>

#include <span>
#include <string>

namespace skbtrail::test {

// Empty when `code`, which is left by falling off its end, is sound.
std::string fault_of(std::span<const bpf_insn> code);

}  // namespace skbtrail::test
