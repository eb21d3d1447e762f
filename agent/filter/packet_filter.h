#pragma once
// CompiledFilter: a pcap expression as eBPF instructions, ready for the filter pad (its convention: translator.h).

#include <linux/bpf.h>

#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "filter/link_form.h"
#include "filter/translator.h"

namespace skbtrail {

// Longest expression accepted.
inline constexpr std::size_t kFilterExpressionLength = 1024;

struct CompiledFilter {
  // Judges packets whose link header is there, and every packet that is not IP.
  std::vector<bpf_insn> l2;
  // Judges IP packets from their IP header on. Absent when the expression speaks of the link layer (`vlan 5`,
  // `ether host …`, `ether[0] & 1 != 0`): then `l2` judges them all.
  std::optional<std::vector<bpf_insn>> l3;
};

// The empty expression accepts every packet. Lengths (`greater 100`, `len`) count from offset 0 of each form. Names in
// the expression (`host example.org`, `port http`) are looked up now, which may ask DNS.
Result<CompiledFilter> compile_filter(std::string_view expression);

}  // namespace skbtrail
