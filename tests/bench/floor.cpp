// What probing costs at best: attaches a program that does nothing to the functions that a trace would take, with the
// backend that it would take, and waits for the end of its input.
//
//   bench_floor all|path     prints "ready FUNCTIONS SECONDS" when attached
//
// Only for kernels with kprobe.multi: single kprobes take minutes and no one would trace a benchmark with them.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <vector>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "kernel/function_catalogue.h"
#include "kernel/skb_functions.h"
#include "session/planner.h"

namespace {

using namespace skbtrail;

Result<UniqueFd> load_empty_program() {
  const bpf_insn insns[] = {
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
      {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
  };
  LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_TRACE_KPROBE_MULTI);
  const int fd = bpf_prog_load(BPF_PROG_TYPE_KPROBE, "bench_floor", "GPL", insns, 2, &options);
  if (fd < 0)
    return fail(-fd, "load an empty program");
  return UniqueFd{fd};
}

Result<ProbePlan> plan(ProbeSet probes) {
  const HostRoot host;
  const auto types = TRY(KernelBtf::load(host, {}));
  const auto symbols = TRY(Kallsyms::read(host));
  const auto catalogue = TRY(read_catalogue(host, find_skb_functions(types), symbols));
  TraceSpec spec;
  spec.probes = probes;
  return plan_probes(catalogue, spec, {.backend = Backend::KprobeMulti}, {});
}

Result<> hold(ProbeSet probes) {
  const auto targets = TRY(plan(probes)).targets;
  const auto program = TRY(load_empty_program());
  const auto start = monotonic_ns();
  std::vector<UniqueFd> links;
  // Two links, as a trace has: one a tier.
  for (const auto tier : {Tier::Follow, Tier::Entry}) {
    std::vector<unsigned long> addresses;
    for (const auto& target : targets)
      if (target.tier == tier)
        addresses.insert(addresses.end(), target.addresses.begin(), target.addresses.end());
    LIBBPF_OPTS(bpf_link_create_opts, options);
    options.kprobe_multi.addrs = addresses.data();
    options.kprobe_multi.cnt = static_cast<__u32>(addresses.size());
    const int fd = bpf_link_create(program.get(), 0, BPF_TRACE_KPROBE_MULTI, &options);
    if (fd < 0)
      return fail(-fd, "attach an empty program to " + std::to_string(addresses.size()) + " functions");
    links.emplace_back(fd);
  }
  std::printf("ready %zu %.3f\n", targets.size(), static_cast<double>(monotonic_ns() - start) / 1e9);
  std::fflush(stdout);
  char byte = 0;
  while (::read(STDIN_FILENO, &byte, 1) > 0) {
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 || (std::strcmp(argv[1], "all") != 0 && std::strcmp(argv[1], "path") != 0)) {
    std::fprintf(stderr, "usage: bench_floor all|path\n");
    return 2;
  }
  const auto done = hold(std::strcmp(argv[1], "all") == 0 ? ProbeSet::All : ProbeSet::Path);
  if (!done)
    std::fprintf(stderr, "bench_floor: %s\n", done.error().message.c_str());
  return done ? 0 : 1;
}
