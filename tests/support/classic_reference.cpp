#include "support/classic_reference.h"

#include <pcap/pcap.h>

#include <vector>

namespace skbtrail::test {
namespace {

// No vector of libpcap's bpf_insn: the linker would take it for a vector of the kernel's bpf_insn.
const bpf_insn* for_libpcap(std::span<const sock_filter> program) {
  static_assert(sizeof(bpf_insn) == sizeof(sock_filter));
  return reinterpret_cast<const bpf_insn*>(program.data());
}

}  // namespace

bool classic_is_valid(std::span<const sock_filter> program) {
  return bpf_validate(for_libpcap(program), static_cast<int>(program.size())) != 0;
}

std::uint32_t classic_verdict(std::span<const sock_filter> program, const FilterInput& input) {
  // libpcap's interpreter does not clear M[]; as its registers A and X start as 0, these stores do it.
  std::vector<sock_filter> instructions;
  for (std::uint32_t word = 0; word < BPF_MEMWORDS; ++word)
    instructions.push_back({.code = BPF_ST, .jt = 0, .jf = 0, .k = word});
  instructions.insert(instructions.end(), program.begin(), program.end());
  return bpf_filter(for_libpcap(instructions), input.linear.data(), input.length,
                    static_cast<std::uint32_t>(input.linear.size()));
}

}  // namespace skbtrail::test
