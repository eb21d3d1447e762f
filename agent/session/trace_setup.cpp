#include "session/trace_setup.h"

#include <malloc.h>

#include <algorithm>
#include <functional>
#include <future>

#include "base/clock.h"
#include "decode/dump_layout.h"
#include "decode/tunnel_headers.h"
#include "filter/field_expression.h"
#include "filter/packet_filter.h"
#include "kernel/backend_choice.h"
#include "kernel/btf_types.h"
#include "kernel/capabilities.h"
#include "kernel/features.h"
#include "kernel/function_catalogue.h"
#include "kernel/function_filter.h"
#include "kernel/loaded_programs.h"
#include "kernel/lockdown.h"
#include "kernel/program_patterns.h"
#include "kernel/skb_functions.h"
#include "session/known_functions.h"
#include "session/other_functions.h"
#include "session/planner.h"

namespace skbtrail {
namespace {

// Of a session: any of its expressions.
Result<std::function<bool(std::string_view)>> any_of_functions(const std::vector<std::string>& patterns) {
  auto filters = std::make_shared<std::vector<FunctionFilter>>();
  for (const auto& pattern : patterns) {
    auto compiled = FunctionFilter::compile(pattern, Anchoring::Anywhere);
    if (!compiled)
      return within("spec.functions", std::move(compiled.error()));
    filters->push_back(std::move(*compiled));
  }
  return std::function<bool(std::string_view)>{[filters](std::string_view name) {
    return std::ranges::any_of(*filters, [&](const auto& filter) { return filter.matches(name); });
  }};
}

Result<std::function<bool(std::string_view)>> name_selector(const TraceSpec& spec) {
  if (!spec.functions.empty())
    return any_of_functions(spec.functions);
  if (spec.function_pattern.empty())
    return std::function<bool(std::string_view)>{};
  auto compiled = FunctionFilter::compile(spec.function_pattern, Anchoring::Whole);
  if (!compiled)
    return within("--filter-func", std::move(compiled.error()));
  auto filter = std::make_shared<FunctionFilter>(std::move(*compiled));
  return std::function<bool(std::string_view)>{[filter](std::string_view name) { return filter->matches(name); }};
}

// Names all that is missing at once, instead of whatever is needed first.
Result<> check_privileges(const HostRoot& host) {
  std::string names;
  bool vital = false;
  for (const auto& missing : read_missing_capabilities(host)) {
    if (missing.name == "CAP_NET_ADMIN")
      continue;
    vital = vital || missing.name != "CAP_SYSLOG";
    names += (names.empty() ? "" : ", ") + missing.name;
  }
  if (!vital)
    return {};
  return refuse(EPERM, "tracing needs privileges that are missing here (" + names +
                           "): run as root, such as with sudo, or give these capabilities to the process or container");
}

// What the kernel answers to our own programs says nothing about what the user wrote.
Error refused_by_kernel(const Error& error) {
  if (error.code == ENOMEM)
    return {ENOMEM, error.message + ": a smaller --ring-size or --max-packets needs less"};
  if (error.code == EPERM)
    return {EPERM, error.message + ": run as root, outside of containers without privileges and of kernel lockdown"};
  return {ENOTSUP, error.message + ": please report this with the output of `skbtrail check`"};
}

Result<TracerObject> load_tracer(const TracerSettings& settings, const ProbePlan& plan) {
  auto tracer = TracerObject::load(settings, plan);
  if (!tracer)
    return refused_by_kernel(tracer.error());
  return tracer;
}

// libbpf loads programs of type tracing only with the running kernel's own BTF, whatever --kernel-btf names.
void leave_out_trampolines_without_btf(const HostRoot& host, KernelFeatures& features) {
  const std::string_view own = "/sys/kernel/btf/vmlinux";
  if (host.exists(own))
    return;
  for (auto* feature : {&features.fentry_multi, &features.fentry})
    *feature = {.available = false, .why_not = "libbpf needs " + std::string(own) + " for it"};
}

// Ids of kfuncs must be the running kernel's, which --kernel-btf does not promise.
std::optional<SessionKfuncs> usable_session(const TraceSpec& spec, const KernelFeatures& features, const btf& vmlinux) {
  return features.kprobe_session.available && spec.kernel_btf.empty() ? session_kfuncs(vmlinux) : std::nullopt;
}

MoveBackend move_backend(const std::optional<SessionKfuncs>& session, const KernelFeatures& features) {
  if (session)
    return MoveBackend::Session;
  return features.fentry.available ? MoveBackend::Trampolines : MoveBackend::None;
}

// Where the kernel gives a packet up there is a tracepoint: nothing else is needed, and nothing else is asked for.
bool probes_functions(const TraceSpec& spec) {
  return spec.probes != ProbeSet::Drops;
}

// Stacks are told apart by registers, which trampolines do not show.
std::optional<Backend> wanted_backend(const TraceSpec& spec, const KernelFeatures& features) {
  if (spec.backend || !spec.track_stack)
    return spec.backend;
  return features.kprobe_multi.available ? Backend::KprobeMulti : Backend::Kprobe;
}

Result<Backend> backend_for(const TraceSpec& spec, const KernelFeatures& features) {
  auto chosen = choose_backend(features, wanted_backend(spec, features));
  if (!chosen && !probes_functions(spec) && !spec.backend && features.ring_buffer.available)
    return Backend::Kprobe;  // of no function
  return chosen;
}

// Only single kprobes are named relative to one.
Result<KprobeBase> base_of(const PreparedTrace& prepared) {
  if (!has_single_kprobes(*prepared.plan))
    return KprobeBase{};
  const auto symbols = TRY(prepared.symbols->get());
  return kprobe_base(*symbols);
}

std::string find_tracefs(const HostRoot& host) {
  for (const auto* folder : {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"})
    if (host.exists(std::string(folder) + "/kprobe_events"))
      return host.path(folder);
  return host.path("/sys/kernel/tracing");
}

Result<> find_other_functions(const TraceSpec& spec, const FunctionCatalogue& catalogue,
                              const FunctionListings& listings, PlanFacts& facts) {
  facts.others = TRY(named_functions(spec.other_functions, catalogue, listings));
  if (spec.helpers) {
    const auto called = TRY(functions_called_by(spec.programs, listings.symbols));
    facts.helpers = look_up_functions(std::vector<std::string>(called.begin(), called.end()), listings);
  }
  const std::vector<std::string> births(birth_functions().begin(), birth_functions().end());
  facts.births = look_up_functions(births, listings).attachable;
  if (spec.other_functions.empty() && !spec.helpers && (facts.moves == MoveBackend::None || facts.births.empty()))
    return refuse(ENOTSUP,
                  "packets that the kernel makes cannot be seen here (neither kprobe.session nor trampolines): leave "
                  "--filter-track-skb-by-stackid out");
  return {};
}

// Of a tunnel, what it carries. L3 expressions judge from the inner IP header on.
struct Filters {
  CompiledFilter packet;
  std::vector<bpf_insn> tunnel_l2;
  std::vector<bpf_insn> tunnel_l3;
};

TracerSettings settings_for(const TraceSpec& spec, const KernelFeatures& features, Filters filters) {
  TracerSettings settings{
      .has_func_ip = features.function_ip.available,
      .has_drop_reason = features.drop_reasons.available,
      .netns_inum = spec.netns_inum,
      .ifindex = spec.ifindex,
      .mark = spec.mark.value,
      .mark_mask = spec.mark.mask,
      .only_pods = spec.only_pods,
      .helpers = spec.helpers,
      .track_stack = spec.track_stack,
      .capture_tuple = spec.tuple,
      .capture_cgroup = spec.pods,
      .capture_caller = spec.caller,
      .capture_stack = spec.stack,
      .snaplen = std::max(spec.snaplen, spec.tunnel ? kTunnelBytes : 0),
      .has_budget = spec.max_events > 0 || spec.events_per_second > 0,
      .follow_packets = spec.probes != ProbeSet::Drops,
      .ring_bytes = spec.ring_bytes,
      .max_packets = spec.max_packets,
  };
  if (!spec.filter.empty()) {
    settings.filter_l2 = std::move(filters.packet.l2);
    settings.filter_l3 = std::move(filters.packet.l3).value_or(std::vector<bpf_insn>{});
  }
  settings.tunnel_l2 = std::move(filters.tunnel_l2);
  settings.tunnel_l3 = std::move(filters.tunnel_l3);
  return settings;
}

Result<std::vector<bpf_insn>> compile_tunnel_filter(std::string_view flag, const std::string& expression,
                                                    LinkForm form) {
  if (expression.empty())
    return std::vector<bpf_insn>{};
  auto filter = compile_filter(expression);
  if (!filter)
    return within(flag, std::move(filter.error()));
  if (form == LinkForm::L2)
    return std::move(filter->l2);
  if (!filter->l3)
    return refuse(EINVAL, std::string(flag) + " '" + expression +
                              "': it speaks of the link layer, which an IP packet does not have; write it as "
                              "--filter-tunnel-pcap-l2");
  return std::move(*filter->l3);
}

Result<Filters> compile_filters(const TraceSpec& spec) {
  return Filters{
      .packet = TRY(compile_filter(spec.filter)),
      .tunnel_l2 = TRY(compile_tunnel_filter("--filter-tunnel-pcap-l2", spec.tunnel_filter_l2, LinkForm::L2)),
      .tunnel_l3 = TRY(compile_tunnel_filter("--filter-tunnel-pcap-l3", spec.tunnel_filter_l3, LinkForm::L3)),
  };
}

struct FieldExpressions {
  std::vector<bpf_insn> filter;
  CompiledValues values;
  std::vector<bpf_insn> xdp_filter;
  CompiledValues xdp_values;
};

Result<std::vector<bpf_insn>> compile_condition(std::string_view flag, const std::string& expression,
                                                const ExpressionSubject& subject, const TypeCatalogue& types) {
  if (expression.empty())
    return std::vector<bpf_insn>{};
  auto code = compile_field_filter(expression, subject, types);
  if (!code)
    return within(flag, std::move(code.error()));
  return code;
}

Result<CompiledValues> compile_shown(std::string_view flag, const std::vector<std::string>& expressions,
                                     const ExpressionSubject& subject, const TypeCatalogue& types) {
  if (expressions.empty())
    return CompiledValues{};
  auto values = compile_field_values(expressions, subject, types);
  if (!values)
    return within(flag, std::move(values.error()));
  return values;
}

Result<FieldExpressions> compile_fields(const TraceSpec& spec, const btf& vmlinux) {
  const BtfTypes types{vmlinux};
  return FieldExpressions{
      .filter = TRY(compile_condition("--filter-skb-expr", spec.field_filter, skb_subject(), types)),
      .values = TRY(compile_shown("--output-skb-metadata", spec.values, skb_subject(), types)),
      .xdp_filter = TRY(compile_condition("--filter-xdp-expr", spec.xdp_filter, xdp_subject(), types)),
      .xdp_values = TRY(compile_shown("--output-xdp-metadata", spec.xdp_values, xdp_subject(), types)),
  };
}

void use_fields(FieldExpressions& fields, TracerSettings& settings) {
  settings.field_filter = std::move(fields.filter);
  settings.values = std::move(fields.values.code);
  settings.xdp_filter = std::move(fields.xdp_filter);
  settings.xdp_values = std::move(fields.xdp_values.code);
}

// A trampoline shows no return address: the caller is found in the stack.
bool needs_stack_for_caller(const TraceSpec& spec, const PlanFacts& facts) {
  return spec.caller && facts.backend == Backend::FentryMulti;
}

Result<FunctionCatalogue> catalogue_of_names(const HostRoot& host, const std::vector<KernelFunction>& functions,
                                             ProbeableFunctions probeable, DeferredSymbols& symbols) {
  const auto known = TRY(symbols.get());
  return complete_catalogue(host, functions, std::move(probeable), *known);
}

// The verifier can look at the programs while the kernel still prints its functions: which of them a plan needs shows
// when every function is taken for one that can be probed. Nothing when that plan is none, or when trampolines are
// needed, which exist for real functions only.
std::optional<TracerObject> load_early(const TracerSettings& settings, const std::vector<KernelFunction>& functions,
                                       const TraceSpec& spec, const PlanFacts& facts,
                                       const std::function<bool(std::string_view)>& selected) {
  FunctionCatalogue presumed{.attachable = functions, .refused = {}};
  for (KernelFunction& function : presumed.attachable)
    function.addresses = {0};
  auto plan = plan_probes(presumed, spec, facts, selected);
  if (!plan || facts.moves == MoveBackend::Trampolines)
    return std::nullopt;
  plan->at_call_sites = true;
  auto tracer = TracerObject::load(settings, *plan);
  return tracer ? std::optional(std::move(*tracer)) : std::nullopt;
}

}  // namespace

Result<PreparedTrace> prepare_trace(const TraceSpec& spec, const HostRoot& host, KernelNames& names) {
  // What the user wrote comes first: a typo should not cost a look at the kernel.
  auto filters = TRY(compile_filters(spec));
  const auto selected = TRY(name_selector(spec));
  TRY(check_privileges(host));
  TRY(check_lockdown());
  TRY(Kallsyms::check_shown(host));
  const BtfRequest request{
      .vmlinux_path = spec.kernel_btf.empty() ? std::nullopt : std::optional(spec.kernel_btf),
      .modules = spec.modules,
      .all_modules = spec.all_modules,
  };
  // The kernel takes as long to print its functions and symbols as for all the rest: other threads wait for that.
  // Functions that take no packet are looked up by name, in the symbols.
  const Listing form = has_call_sites(host) && !spec.track_stack ? Listing::Sites : Listing::Names;
  auto reading_listing = std::async(std::launch::async, [&] {
    return probes_functions(spec) ? names.listing(form) : std::make_shared<const ProbeableListing>();
  });
  auto symbols = std::make_unique<DeferredSymbols>(names);
  if (form == Listing::Names && probes_functions(spec))
    symbols->begin();
  const auto types = TRY(KernelBtf::load(host, request));
  auto fields = TRY(compile_fields(spec, types.vmlinux()));
  auto dumps =
      TRY(lay_out_dumps({.skb = spec.skb_dump, .shared_info = spec.shared_dump, .control_words = spec.control_words},
                        BtfTypes{types.vmlinux()}));
  auto functions = find_skb_functions(types);
  auto features = features_by_types(host, types.vmlinux());
  leave_out_trampolines_without_btf(host, features);
  auto backend = backend_for(spec, features);
  const bool needs_blacklist = probes_functions(spec) && backend && *backend == Backend::Kprobe;
  const auto blacklist = needs_blacklist ? TRY(names.blacklist()) : std::make_shared<const KprobeBlacklist>();
  const bool at_call_sites = form == Listing::Sites && backend && *backend != Backend::Kprobe;
  const auto session = usable_session(spec, features, types.vmlinux());
  PlanFacts facts{
      .backend = backend ? *backend : Backend::Kprobe,
      .moves = move_backend(session, features),
      .kprobe_multi = features.kprobe_multi.available,
  };
  auto settings = settings_for(spec, features, std::move(filters));
  settings.kernel_types = &types.vmlinux();
  settings.session = session.value_or(SessionKfuncs{});
  use_fields(fields, settings);
  settings.capture_skb = dumps.needs_skb();
  settings.capture_shared = dumps.shared.has_value();
  settings.capture_stack = settings.capture_stack || needs_stack_for_caller(spec, facts);
  auto patterns = spec.programs.empty() ? std::nullopt : std::optional(ProgramPatterns::load());
  if (patterns && *patterns) {
    settings.programs = spec.programs;
    settings.patterns = &**patterns;
  }
  auto tracer = at_call_sites ? load_early(settings, functions, spec, facts, selected) : std::nullopt;
  auto reasons = DropReasons::read(host, types);
  const auto listing = TRY(reading_listing.get());
  auto probeable = parse_probeable(*listing, form, *blacklist, functions);
  const auto catalogue = !probes_functions(spec) ? FunctionCatalogue{}
                         : at_call_sites         ? catalogue_of_sites(functions, probeable)
                                         : TRY(catalogue_of_names(host, functions, std::move(probeable), *symbols));
  facts.backend = TRY(std::move(backend));
  if (spec.track_stack) {
    const auto known = TRY(symbols->get());
    TRY(find_other_functions(spec, catalogue,
                             {.host = host, .symbols = *known, .traceable = *listing, .blacklist = *blacklist}, facts));
    settings.per_cpu_offsets = known->per_cpu_offsets();
  }
  auto plan = std::make_unique<ProbePlan>(TRY(plan_probes(catalogue, spec, facts, selected)));
  plan->at_call_sites = at_call_sites;
  if (!tracer || !tracer->fits(*plan))
    tracer = TRY(load_tracer(settings, *plan));
  TRY(tracer->describe(*plan));
  return PreparedTrace{
      .features = std::move(features),
      .symbols = std::move(symbols),
      .reasons = std::move(reasons),
      .value_forms = std::move(fields.values.forms),
      .xdp_value_forms = std::move(fields.xdp_values.forms),
      .dump_forms = std::move(dumps),
      .plan = std::move(plan),
      .tracer = std::move(*tracer),
      .tracefs = find_tracefs(host),
      .programs_refused = patterns && !*patterns ? patterns->error().message : std::string(),
  };
}

Result<> check_expressions(const TraceSpec& spec) {
  TRY(compile_filter(spec.filter));
  TRY(name_selector(spec));
  return {};
}

std::string_view backend_of(const PreparedTrace& prepared, const TraceSpec& spec) {
  return probes_functions(spec) ? backend_name(prepared.plan->backend) : "tracepoint";
}

Result<std::unique_ptr<AttachedProbes>> attach_prepared(PreparedTrace& prepared, const Stop& stop) {
  const auto base = TRY(base_of(prepared));
  auto probes = TRY(attach_probes(prepared.tracer, *prepared.plan, prepared.tracefs, base, stop));
  // The kernel's types are no longer needed, and their megabytes would lie beside those of its symbols.
  (void)::malloc_trim(0);
  // Read while nobody needs them yet: the first event will.
  prepared.symbols->begin();
  const auto& progress = probes->progress();
  if (progress.wanted > 0 && progress.refused.size() >= progress.wanted && progress.attached == 0)
    return refuse(ENOTSUP, "the kernel refused all " + std::to_string(progress.wanted) + " functions, such as '" +
                               progress.refused.front().target + "' (" + progress.refused.front().reason +
                               "): `skbtrail check` says what this kernel offers");
  return probes;
}

Decoder decoder_of(const PreparedTrace& prepared, const TraceSpec& spec) {
  Decoder decoder{*prepared.symbols, prepared.reasons, realtime_offset_ns()};
  decoder.set_value_forms(prepared.value_forms);
  decoder.set_xdp_value_forms(prepared.xdp_value_forms);
  decoder.set_dump_forms(prepared.dump_forms);
  decoder.set_tunnels(spec.tunnel);
  return decoder;
}

StackUse stack_use_of(const PreparedTrace& prepared, const TraceSpec& spec) {
  return {.caller = spec.caller && prepared.plan->backend == Backend::FentryMulti, .keep = spec.stack};
}

}  // namespace skbtrail
