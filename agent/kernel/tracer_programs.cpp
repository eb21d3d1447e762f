#include "kernel/tracer_programs.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "kernel/attach_types.h"
#include "kernel/program_patterns.h"
#include "tracer.skel.h"

namespace skbtrail {
namespace {

// A function that hands identities on, and the trampoline program that sees it.
struct Trampoline {
  std::string_view function;
  bpf_program* decltype(tracer_bpf::progs)::*program;
};

constexpr std::array kTrampolines = {
    Trampoline{"pskb_expand_head", &decltype(tracer_bpf::progs)::fexit_pskb_expand_head},
    Trampoline{"skb_copy", &decltype(tracer_bpf::progs)::fexit_skb_copy},
    Trampoline{"skb_copy_expand", &decltype(tracer_bpf::progs)::fexit_skb_copy_expand},
    Trampoline{"__pskb_copy_fclone", &decltype(tracer_bpf::progs)::fexit___pskb_copy_fclone},
    Trampoline{"ip_frag_next", &decltype(tracer_bpf::progs)::fexit_ip_frag_next},
    Trampoline{"ip6_frag_next", &decltype(tracer_bpf::progs)::fexit_ip6_frag_next},
    Trampoline{"__alloc_skb", &decltype(tracer_bpf::progs)::fexit___alloc_skb},
    Trampoline{"build_skb", &decltype(tracer_bpf::progs)::fexit_build_skb},
    Trampoline{"skb_segment", &decltype(tracer_bpf::progs)::fexit_skb_segment},
    Trampoline{"skb_copy_header", &decltype(tracer_bpf::progs)::fentry_skb_copy_header},
    Trampoline{"ip_do_fragment", &decltype(tracer_bpf::progs)::fentry_ip_do_fragment},
    Trampoline{"ip6_fragment", &decltype(tracer_bpf::progs)::fentry_ip6_fragment},
};

bool uses(const ProbePlan& plan, Backend backend, Tier tier) {
  return std::ranges::any_of(
      plan.targets, [&](const ProbeTarget& target) { return target.backend == backend && target.tier == tier; });
}

// There are two of each: one with room for expressions whose values are to be shown, and one that is quicker.
bpf_program* follow_kprobe(const tracer_bpf& raw, const TracerSettings& settings) {
  return settings.values.empty() ? raw.progs.follow_kprobe : raw.progs.follow_kprobe_values;
}

bpf_program* follow_fentry(const tracer_bpf& raw, const TracerSettings& settings) {
  return settings.values.empty() ? raw.progs.follow_fentry : raw.progs.follow_fentry_values;
}

// The verifier looks at what is loaded, for tens of milliseconds each: only what the plan uses.
void select_programs(const tracer_bpf& raw, const TracerSettings& settings, const ProbePlan& plan) {
  for (const auto& [tier, program] :
       {std::pair{Tier::Entry, raw.progs.entry_kprobe}, std::pair{Tier::Follow, follow_kprobe(raw, settings)}}) {
    const bool multi = uses(plan, Backend::KprobeMulti, tier);
    bpf_program__set_autoload(program, multi || plan.backend == Backend::Kprobe);
    if (multi)
      bpf_program__set_expected_attach_type(program, BPF_TRACE_KPROBE_MULTI);
  }
  for (const auto& [tier, program] :
       {std::pair{Tier::Entry, raw.progs.entry_fentry}, std::pair{Tier::Follow, follow_fentry(raw, settings)}}) {
    bpf_program__set_autoload(program, uses(plan, Backend::FentryMulti, tier));
    bpf_program__set_type(program, BPF_PROG_TYPE_TRACING);
    bpf_program__set_expected_attach_type(program, static_cast<bpf_attach_type>(kTraceFentryMulti));
  }
  for (const auto& [tier, program] :
       {std::pair{Tier::Beside, raw.progs.beside_kprobe}, std::pair{Tier::Map, raw.progs.map_kprobe},
        std::pair{Tier::MapReturn, raw.progs.map_return_kprobe}}) {
    const bool multi = uses(plan, Backend::KprobeMulti, tier);
    bpf_program__set_autoload(program, multi || uses(plan, Backend::Kprobe, tier));
    if (multi)
      bpf_program__set_expected_attach_type(program, BPF_TRACE_KPROBE_MULTI);
  }
  bpf_program__set_autoload(raw.progs.drop_skb, plan.drops);
}

void select_move_programs(const tracer_bpf& raw, const ProbePlan& plan) {
  auto* session = raw.progs.moves_session;
  bpf_program__set_autoload(session, plan.move_backend == MoveBackend::Session);
  bpf_program__set_expected_attach_type(session, static_cast<bpf_attach_type>(kTraceKprobeSession));
  for (const auto& [function, program] : kTrampolines)
    bpf_program__set_autoload(raw.progs.*program,
                              plan.move_backend == MoveBackend::Trampolines &&
                                  std::ranges::find(plan.moves, function, &MoveTarget::name) != plan.moves.end());
}

// Programs that trace BPF programs are verified against one that does nothing.
struct Watcher {
  ProgramKind kind;
  bpf_attach_type edge;
  bpf_program* decltype(tracer_bpf::progs)::*program;
};

constexpr std::array kWatchers = {
    Watcher{ProgramKind::Tc, BPF_TRACE_FENTRY, &decltype(tracer_bpf::progs)::tc_entry},
    Watcher{ProgramKind::Tc, BPF_TRACE_FEXIT, &decltype(tracer_bpf::progs)::tc_exit},
    Watcher{ProgramKind::Xdp, BPF_TRACE_FENTRY, &decltype(tracer_bpf::progs)::xdp_entry},
    Watcher{ProgramKind::Xdp, BPF_TRACE_FEXIT, &decltype(tracer_bpf::progs)::xdp_exit},
};

Result<> select_watchers(const tracer_bpf& raw, const TracerSettings& settings, const ProgramPatterns& patterns) {
  for (const auto& [kind, edge, program] : kWatchers) {
    if (!settings.programs.contains(kind))
      continue;
    bpf_program__set_autoload(raw.progs.*program, true);
    const std::string function{ProgramPatterns::function(kind)};
    if (const int err = bpf_program__set_attach_target(raw.progs.*program, patterns.fd(kind), function.c_str()))
      return fail(-err, "look up BPF program '" + function + "'");
  }
  return {};
}

std::vector<bpf_insn> instructions_of(const bpf_program* program) {
  const bpf_insn* first = bpf_program__insns(program);
  return {first, first + bpf_program__insn_cnt(program)};
}

Result<> replace_instructions(bpf_program* program, std::vector<bpf_insn>& code) {
  if (const int err = bpf_program__set_insns(program, code.data(), code.size()))
    return fail(-err, "write instructions of '" + std::string(bpf_program__name(program)) + "'");
  return {};
}

Result<> write_kfunc_calls(bpf_program* program, const SessionKfuncs& kfuncs) {
  auto code = instructions_of(program);
  if (write_session_calls(code, kfuncs) == 0)
    return refuse(ENOEXEC, "write kfunc calls: program '" + std::string(bpf_program__name(program)) + "' has none");
  return replace_instructions(program, code);
}

struct PadContent {
  PadKind kind;
  std::span<const bpf_insn> code;  // empty: the pad is never run
};

using PadContents = std::array<PadContent, 6>;

PadContents pad_contents(const TracerSettings& settings, std::span<const bpf_insn> fields,
                         std::span<const bpf_insn> values) {
  return {PadContent{PadKind::L2, settings.filter_l2},
          PadContent{PadKind::L3, settings.filter_l3},
          PadContent{PadKind::TunnelL2, settings.tunnel_l2},
          PadContent{PadKind::TunnelL3, settings.tunnel_l3},
          PadContent{PadKind::Fields, fields},
          PadContent{PadKind::Values, values}};
}

PadContents skb_pad_contents(const TracerSettings& settings) {
  return pad_contents(settings, settings.field_filter, settings.values);
}

// Of programs that look at XDP programs, whose packets are no skb.
PadContents frame_pad_contents(const TracerSettings& settings) {
  return pad_contents(settings, settings.xdp_filter, settings.xdp_values);
}

Result<> splice(bpf_program* program, PadRoom room, std::span<const PadContent> contents) {
  const std::string name = bpf_program__name(program);
  auto code = instructions_of(program);
  for (const auto& content : contents)
    if (!content.code.empty() && TRY(fill_pads(code, content.kind, room, content.code)) == 0)
      return refuse(ENOEXEC, "splice filter: program '" + name + "' has no pad");
  return replace_instructions(program, code);
}

Result<> splice_expressions(const tracer_bpf& raw, const TracerSettings& settings) {
  const auto room = room_for(settings);
  const auto contents = skb_pad_contents(settings);
  const auto frame_contents = frame_pad_contents(settings);
  if (bpf_program__autoload(raw.progs.xdp_entry)) {
    TRY(splice(raw.progs.xdp_entry, room, frame_contents));
    TRY(splice(raw.progs.xdp_exit, room, std::span(frame_contents).last(1)));
  }
  for (auto* program : {raw.progs.entry_kprobe, raw.progs.entry_fentry, raw.progs.drop_skb, raw.progs.tc_entry})
    if (bpf_program__autoload(program))
      TRY(splice(program, room, contents));
  // Followed packets passed the filter before.
  for (auto* program : {raw.progs.follow_kprobe_values, raw.progs.follow_fentry_values, raw.progs.tc_exit})
    if (bpf_program__autoload(program))
      TRY(splice(program, room, std::span(contents).last(1)));
  return {};
}

bpf_program* either_loaded(bpf_program* one, bpf_program* other) {
  return loaded(one) ? one : loaded(other);
}

}  // namespace

PadRoom room_for(const TracerSettings& settings) {
  const auto all_fit = [](std::span<const PadContent> contents) {
    return std::ranges::all_of(
        contents, [](const PadContent& content) { return fits(content.kind, PadRoom::Small, content.code); });
  };
  return all_fit(skb_pad_contents(settings)) && all_fit(frame_pad_contents(settings)) ? PadRoom::Small : PadRoom::Roomy;
}

Result<> prepare_programs(const tracer_bpf& raw, const TracerSettings& settings, const ProbePlan& plan) {
  select_programs(raw, settings, plan);
  select_move_programs(raw, plan);
  if (settings.patterns)
    TRY(select_watchers(raw, settings, *settings.patterns));
  TRY(splice_expressions(raw, settings));
  if (plan.move_backend == MoveBackend::Session)
    TRY(write_kfunc_calls(raw.progs.moves_session, settings.session));
  return {};
}

bpf_program* loaded(bpf_program* program) {
  return bpf_program__fd(program) >= 0 ? program : nullptr;
}

bpf_program* program_of(const tracer_bpf& raw, Backend backend, Tier tier) {
  const auto& programs = raw.progs;
  const bool fentry = backend == Backend::FentryMulti;
  switch (tier) {
    case Tier::Entry: return loaded(fentry ? programs.entry_fentry : programs.entry_kprobe);
    case Tier::Follow:
      return fentry ? either_loaded(programs.follow_fentry, programs.follow_fentry_values)
                    : either_loaded(programs.follow_kprobe, programs.follow_kprobe_values);
    case Tier::Beside: return loaded(programs.beside_kprobe);
    case Tier::Map: return loaded(programs.map_kprobe);
    case Tier::MapReturn: return loaded(programs.map_return_kprobe);
  }
  std::abort();
}

std::vector<bpf_program*> trampolines_of(const tracer_bpf& raw) {
  std::vector<bpf_program*> programs;
  programs.reserve(kTrampolines.size());
  for (const auto& [function, program] : kTrampolines)
    if (loaded(raw.progs.*program))
      programs.push_back(raw.progs.*program);
  return programs;
}

std::vector<bpf_insn> pattern_of(const tracer_bpf& raw, ProgramKind kind, bpf_attach_type edge) {
  const auto* found =
      std::ranges::find_if(kWatchers, [&](const Watcher& one) { return one.kind == kind && one.edge == edge; });
  return instructions_of(raw.progs.*(found->program));
}

}  // namespace skbtrail
