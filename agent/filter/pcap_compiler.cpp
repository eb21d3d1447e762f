#include "filter/pcap_compiler.h"

#include <pcap/pcap.h>

#include <memory>

namespace skbtrail {
namespace {

constexpr int kSnapLength = 262144;

struct ClosePcap {
  void operator()(pcap_t* handle) const { pcap_close(handle); }
};
using PcapHandle = std::unique_ptr<pcap_t, ClosePcap>;

enum class Optimise { No, Yes };

// No container of libpcap's bpf_insn: the linker would take it for one of the kernel's bpf_insn.
std::vector<sock_filter> taken_from(bpf_program& compiled) {
  std::vector<sock_filter> program;
  program.reserve(compiled.bf_len);
  for (const auto* at = compiled.bf_insns; at != compiled.bf_insns + compiled.bf_len; ++at)
    program.push_back({.code = at->code, .jt = at->jt, .jf = at->jf, .k = at->k});
  pcap_freecode(&compiled);
  return program;
}

Result<std::vector<sock_filter>> compile(const std::string& expression, LinkForm form, Optimise optimise) {
  const PcapHandle handle{pcap_open_dead(form == LinkForm::L2 ? DLT_EN10MB : DLT_RAW, kSnapLength)};
  if (!handle)
    return fail(ENOMEM, "open libpcap compiler");
  bpf_program compiled{};
  if (pcap_compile(handle.get(), &compiled, expression.c_str(), optimise == Optimise::Yes, PCAP_NETMASK_UNKNOWN) != 0)
    return refuse(EINVAL, pcap_geterr(handle.get()));
  return taken_from(compiled);
}

std::vector<sock_filter> reject_all() {
  return {sock_filter{.code = BPF_RET | BPF_K, .jt = 0, .jf = 0, .k = 0}};
}

}  // namespace

Result<std::vector<sock_filter>> compile_pcap(const std::string& expression, LinkForm form) {
  auto optimised = compile(expression, form, Optimise::Yes);
  if (optimised || form == LinkForm::L2)
    return optimised;
  // libpcap's optimiser refuses what can never match. On L3 that is a fair answer: `arp` matches no IP packet.
  if (compile(expression, form, Optimise::No))
    return reject_all();
  return optimised;
}

}  // namespace skbtrail
