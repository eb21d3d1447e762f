#include "app/trace_options.h"

#include <bit>
#include <map>

#include "app/units.h"
#include "kernel/netns.h"

namespace skbtrail {
namespace {

constexpr std::uint64_t kMinRing = 64U << 10;
constexpr std::uint64_t kMaxRing = 1U << 30;
constexpr std::chrono::hours kMaxDuration{168};
constexpr std::uint32_t kMaxSnaplen = 16384;
constexpr std::size_t kMaxPods = 64;
constexpr std::size_t kMostOtherFunctions = 256;
constexpr std::uint32_t kMaxPackets = 1U << 20;
constexpr std::uint32_t kMaxNetnsName = 255;
constexpr std::uint64_t kMaxFileMegabytes = 1U << 20;
constexpr std::uint32_t kMaxBackups = 100'000;
constexpr std::uint32_t kMaxBackupDays = 36'500;
// Also what keeps CLI11 from taking -1 for 2^64 - 1.
constexpr std::uint64_t kMostEvents = 1'000'000'000'000'000;

const std::map<std::string, ProbeSet> kProbeSets = {
    {"path", ProbeSet::Path}, {"all", ProbeSet::All}, {"drops", ProbeSet::Drops}};
const std::map<std::string, Timestamp> kTimestamps = {{"none", Timestamp::None},
                                                      {"current", Timestamp::Current},
                                                      {"relative", Timestamp::Relative},
                                                      {"absolute", Timestamp::Absolute}};

void declare_what(CLI::App& command, TraceOptions& options) {
  const auto* group = "What to trace";
  command.add_option("pcap-filter", options.filter, "pcap expression, such as 'tcp port 80' (see pcap-filter(7))")
      ->group(group);
  command.add_option("--filter-func", options.filter_func, "Only functions whose whole name matches this RE2")
      ->group(group);
  command.add_option("--filter-netns", options.filter_netns, "Network namespace: a name, a path, or inode:NUMBER")
      ->group(group);
  command.add_option("--filter-mark", options.filter_mark, "Packet mark: MARK or MARK/MASK")->group(group);
  command.add_option("--filter-ifname", options.filter_ifname, "Interface, looked up in --filter-netns")->group(group);
  command
      .add_option("--filter-skb-expr", options.filter_skb_expr,
                  "C expression over skb's fields, such as 'skb->dev->mtu > 1500'")
      ->group(group);
  command
      .add_option("--filter-tunnel-pcap-l2", options.filter_tunnel_pcap_l2,
                  "pcap expression about the frame that a tunnel carries (VXLAN, Geneve, GRE, IP in IP)")
      ->group(group);
  command
      .add_option("--filter-tunnel-pcap-l3", options.filter_tunnel_pcap_l3,
                  "The same about the IP packet that a tunnel carries")
      ->group(group);
  command
      .add_option("--filter-at", options.filter_at,
                  "Where the filter runs: entry (where packets are first met) or all (every function, as pwru does)")
      ->check(CLI::IsMember({"entry", "all"}))
      ->capture_default_str()
      ->group(group);
  command
      .add_flag("--filter-track-skb", options.filter_track_skb,
                "Keep following a packet that no longer matches; always on, taken for pwru's users")
      ->group(group);
  command
      .add_flag("--filter-track-skb-by-stackid", options.filter_track_skb_by_stackid,
                "Also follow packets that the kernel makes while it handles a followed one, such as answers and errors")
      ->group(group);
  command
      .add_option(
          "--filter-non-skb-funcs", options.filter_non_skb_funcs,
          "Also these functions, which take no packet, when they are called while a followed one is handled; by "
          "comma")
      ->delimiter(',')
      ->allow_extra_args(false)  // what follows is the filter
      ->group(group);
  command
      .add_flag("--filter-trace-tc", options.filter_trace_tc,
                "Also every BPF program of TC that is loaded, or will be, with what it decides")
      ->group(group);
  command
      .add_flag("--filter-trace-xdp", options.filter_trace_xdp,
                "The same of XDP, and packets are followed from there into their skb")
      ->group(group);
  command
      .add_flag(
          "--filter-track-bpf-helpers", options.filter_track_bpf_helpers,
          "Also the helpers and kernel functions that these programs call for a followed packet; of both kinds of "
          "programs unless one is named")
      ->group(group);
  command
      .add_option("--filter-xdp-expr", options.filter_xdp_expr,
                  "C expression over xdp's fields, for packets at XDP programs")
      ->group(group);
  command
      .add_option("--probes", options.probes,
                  "path (one function per layer), all (every function that takes a packet) or drops")
      ->check(CLI::IsMember({"path", "all", "drops"}))
      ->capture_default_str()
      ->group(group);
}

void declare_pods(CLI::App& command, TraceOptions& options) {
  const auto* group = "Which pods";
  command.add_option("--pod", options.pods, "Only packets of this pod, NAMESPACE/NAME; more than one may be named")
      ->allow_extra_args(false)  // what follows is the filter
      ->group(group);
  command
      .add_option("--pod-selector", options.pod_selector,
                  "Only packets of pods with such labels, as kubectl takes it: 'app=web,tier in (front,edge)'")
      ->group(group);
  command.add_option("-n,--namespace", options.pod_namespace, "The namespace of --pod-selector; default: all")
      ->group(group);
  command.add_option("--cri", options.cri, "The container runtime's socket, instead of looking for it")->group(group);
}

void declare_how(CLI::App& command, TraceOptions& options) {
  const auto* group = "How to trace";
  command.add_option("--backend", options.backend, "fentry.multi, kprobe.multi or kprobe; default: the best there is")
      ->check(CLI::IsMember({"fentry.multi", "kprobe.multi", "kprobe-multi", "kprobe"}))
      ->group(group);
  command.add_option("--kernel-btf", options.kernel_btf, "BTF file of the kernel, instead of the running kernel's")
      ->group(group);
  command.add_option("--kmods", options.kmods, "Also functions of these kernel modules, by comma")
      ->delimiter(',')
      ->allow_extra_args(false)  // what follows is the filter
      ->group(group);
  command.add_flag("--all-kmods", options.all_kmods, "Also functions of every loaded module")->group(group);
  command.add_option("--ring-size", options.ring_size, "Buffer between kernel and skbtrail, 64K to 1G")
      ->capture_default_str()
      ->group(group);
  command.add_option("--max-packets", options.max_packets, "Packets followed at once, 1 to 1048576")
      ->check(CLI::Range(1U, kMaxPackets))
      ->capture_default_str()
      ->group(group);
}

void declare_limits(CLI::App& command, TraceOptions& options) {
  const auto* group = "When to stop";
  command.add_option("--duration", options.duration, "Stop after this time, such as 30s or 5m; 0: when interrupted")
      ->capture_default_str()
      ->group(group);
  command.add_option("--max-events", options.max_events, "Stop after so many events; 0: no bound")
      ->check(CLI::Range(std::uint64_t{0}, kMostEvents))
      ->capture_default_str()
      ->group(group);
  command.add_option("--output-limit-lines", options.output_limit_lines, "The same, by pwru's name")
      ->check(CLI::Range(std::uint64_t{0}, kMostEvents))
      ->group(group);
  command
      .add_option("--rate", options.rate, "At most so many events a second, the rest is counted as lost; 0: no bound")
      ->check(CLI::Range(std::uint64_t{0}, std::uint64_t{1'000'000'000}))
      ->capture_default_str()
      ->group(group);
}

void declare_dumps(CLI::App& command, TraceOptions& options) {
  const auto* group = "Output";
  command.add_flag("--output-skb", options.output_skb, "All fields of the packet's struct sk_buff that are not 0")
      ->group(group);
  command
      .add_flag("--output-skb-shared-info", options.output_skb_shared_info,
                "All fields of the packet's struct skb_shared_info that are not 0")
      ->group(group);
  command.add_flag("--output-skb-cb", options.output_skb_cb, "The words of skb->cb that programs of TC see as cb[]")
      ->group(group);
  command
      .add_flag("--output-bpfmap", options.output_bpfmap,
                "Keys and values of BPF maps that programs of TC and XDP look up, update and delete; asks for "
                "--filter-track-bpf-helpers")
      ->group(group);
}

void declare_netns_names(CLI::App& command, TraceOptions& options) {
  const auto* group = "Output";
  auto* names = command
                    .add_flag("--output-netns-names", options.output_netns_names,
                              "Names of network namespaces, as `ip netns` has them, or of the pods they belong to")
                    ->group(group);
  command
      .add_option("--netns-names-max-length", options.netns_names_max_length,
                  "Characters of such a name in text, at least 10; what is longer is cut")
      ->check(CLI::Range(0U, kMaxNetnsName))
      ->capture_default_str()
      ->needs(names)
      ->group(group);
}

void declare_files(CLI::App& command, TraceOptions& options) {
  const auto* group = "Output";
  auto* file = command.add_option("--output-file", options.output_file, "Append events to this file instead of stdout")
                   ->group(group);
  command
      .add_option("--output-file-max-size", options.output_file_max_size,
                  "Begin another file after so many MB, and keep this one as a backup; 0: never")
      ->check(CLI::Range(std::uint64_t{0}, kMaxFileMegabytes))
      ->capture_default_str()
      ->needs(file)
      ->group(group);
  command.add_option("--output-file-max-backups", options.output_file_max_backups, "How many backups are kept; 0: all")
      ->check(CLI::Range(0U, kMaxBackups))
      ->capture_default_str()
      ->needs(file)
      ->group(group);
  command
      .add_option("--output-file-max-age", options.output_file_max_age, "Days for which backups are kept; 0: for ever")
      ->check(CLI::Range(0U, kMaxBackupDays))
      ->capture_default_str()
      ->needs(file)
      ->group(group);
  command.add_flag("--output-file-compress", options.output_file_compress, "Compress backups with gzip")
      ->needs(file)
      ->group(group);
}

void declare_output(CLI::App& command, TraceOptions& options) {
  const auto* group = "Output";
  command.add_option("--output", options.output, "text, json (one object per line) or pcapng (for Wireshark)")
      ->check(CLI::IsMember({"text", "json", "pcapng"}))
      ->capture_default_str()
      ->group(group);
  command.add_flag("--output-json", options.output_json, "The same as --output json")->group(group);
  command.add_option("--snaplen", options.snaplen, "Bytes of each packet in a pcapng, 64 to 16384")
      ->check(CLI::Range(64U, kMaxSnaplen))
      ->capture_default_str()
      ->group(group);
  command
      .add_flag("--output-meta,!--no-output-meta", options.output_meta, "Netns, mark, interface, protocol, MTU, length")
      ->default_str("true")
      ->group(group);
  command
      .add_flag("--output-pods,!--no-output-pods", options.output_pods,
                "Names of pods, where there is a container runtime")
      ->default_str("true")
      ->group(group);
  command.add_flag("--output-tuple,!--no-output-tuple", options.output_tuple, "Addresses, ports and transport")
      ->default_str("true")
      ->group(group);
  command.add_flag("--output-tcp-flags", options.output_tcp_flags, "TCP flags")->group(group);
  command.add_flag("--output-tunnel", options.output_tunnel, "Kind, id and inner addresses of tunnelled packets")
      ->group(group);
  command
      .add_option("--output-skb-metadata", options.output_skb_metadata,
                  "Values of C expressions over skb's fields, by comma; at most 4")
      ->delimiter(',')
      ->allow_extra_args(false)  // what follows is the filter
      ->group(group);
  command
      .add_option("--output-xdp-metadata", options.output_xdp_metadata,
                  "Values of C expressions over xdp's fields, at XDP programs, by comma; at most 4")
      ->delimiter(',')
      ->allow_extra_args(false)  // what follows is the filter
      ->group(group);
  command.add_flag("--output-caller", options.output_caller, "The function that called the traced one")->group(group);
  command.add_flag("--output-stack", options.output_stack, "The kernel stack at each hop")->group(group);
  command
      .add_option("--timestamp", options.timestamp, "none, current, relative (to the packet's last event) or absolute")
      ->check(CLI::IsMember({"none", "current", "relative", "absolute"}))
      ->capture_default_str()
      ->group(group);
  command.add_flag("--summary", options.summary, "At the end: every distinct path, how many packets took it, how long")
      ->group(group);
  command.add_option("--colour,--color", options.colour, "auto, always or never")
      ->check(CLI::IsMember({"auto", "always", "never"}))
      ->capture_default_str()
      ->group(group);
  command.add_option("--ready-file", options.ready_file, "Create this file once tracing has begun")->group(group);
  command
      .add_flag("--wait-detach", options.wait_detach,
                "Return only after every probe is gone; single kprobes take the kernel up to minutes")
      ->group(group);
}

// Names the flag in front of what its value's parser has to say.
template <class T>
Result<T> of_flag(std::string_view flag, Result<T> parsed) {
  if (!parsed)
    return within(flag, std::move(parsed.error()));
  return parsed;
}

Result<std::uint32_t> ring_bytes_of(const std::string& text) {
  const std::uint64_t size = TRY(of_flag("--ring-size", parse_size(text)));
  if (size < kMinRing || size > kMaxRing || !std::has_single_bit(size))
    return refuse(EINVAL, "--ring-size '" + text + "': write a power of two from 64K to 1G, such as 64M");
  return static_cast<std::uint32_t>(size);
}

// The flag by which helpers are tracked; empty: they are not. It is helpers that ask maps.
std::string helpers_flag(const TraceOptions& options) {
  if (options.output_bpfmap)
    return "--output-bpfmap";
  return options.filter_track_bpf_helpers ? "--filter-track-bpf-helpers" : "";
}

Result<std::set<ProgramKind>> programs_of(const TraceOptions& options) {
  std::set<ProgramKind> programs;
  if (options.filter_trace_tc)
    programs.insert(ProgramKind::Tc);
  if (options.filter_trace_xdp)
    programs.insert(ProgramKind::Xdp);
  if (!helpers_flag(options).empty() && programs.empty())
    programs = {ProgramKind::Tc, ProgramKind::Xdp};
  if (!programs.empty() && options.probes == "drops")
    return refuse(EINVAL, std::string(options.filter_trace_tc    ? "--filter-trace-tc"
                                      : options.filter_trace_xdp ? "--filter-trace-xdp"
                                                                 : helpers_flag(options)) +
                              ": with --probes drops no packet is followed into a program; use --probes path or all");
  if (!options.filter_trace_xdp && (!options.filter_xdp_expr.empty() || !options.output_xdp_metadata.empty()))
    return refuse(EINVAL, std::string(options.filter_xdp_expr.empty() ? "--output-xdp-metadata" : "--filter-xdp-expr") +
                              ": it is about packets at XDP programs; add --filter-trace-xdp");
  return programs;
}

Result<> set_stack_tracking(const TraceOptions& options, TraceSpec& spec) {
  spec.other_functions = options.filter_non_skb_funcs;
  spec.helpers = !helpers_flag(options).empty();
  spec.map_accesses = options.output_bpfmap;
  spec.track_stack = options.filter_track_skb_by_stackid || !spec.other_functions.empty() || spec.helpers;
  const std::string flag = !spec.other_functions.empty() ? "--filter-non-skb-funcs"
                           : spec.helpers                ? helpers_flag(options)
                                                         : "--filter-track-skb-by-stackid";
  if (spec.other_functions.size() > kMostOtherFunctions)
    return refuse(EINVAL, flag + ": " + std::to_string(spec.other_functions.size()) +
                              " functions are too many; at most " + std::to_string(kMostOtherFunctions) +
                              " can be named");
  if (spec.track_stack && options.probes == "drops")
    return refuse(EINVAL, flag + ": with --probes drops no packet is followed; use --probes path or all");
  if (spec.track_stack && spec.backend == Backend::FentryMulti)
    return refuse(EINVAL, flag + ": it needs registers, which --backend " + options.backend +
                              " does not show; use kprobe.multi or kprobe");
  return {};
}

std::string in_one_text(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words)
    text += (text.empty() ? "" : " ") + word;
  return text;
}

}  // namespace

void declare_trace_options(CLI::App& command, TraceOptions& options) {
  declare_what(command, options);
  declare_pods(command, options);
  declare_how(command, options);
  declare_limits(command, options);
  declare_output(command, options);
  declare_dumps(command, options);
  declare_netns_names(command, options);
  declare_files(command, options);
}

Result<TraceSpec> trace_spec_of(const TraceOptions& options, const HostRoot& host) {
  TraceSpec spec{
      .filter = in_one_text(options.filter),
      .tunnel_filter_l2 = options.filter_tunnel_pcap_l2,
      .tunnel_filter_l3 = options.filter_tunnel_pcap_l3,
      .field_filter = options.filter_skb_expr,
      .values = options.output_skb_metadata,
      .xdp_filter = options.filter_xdp_expr,
      .xdp_values = options.output_xdp_metadata,
      .probes = kProbeSets.at(options.probes),
      .filter_at = options.filter_at == "all" ? FilterAt::All : FilterAt::Entry,
      .function_pattern = options.filter_func,
      .modules = options.kmods,
      .all_modules = options.all_kmods,
      .kernel_btf = options.kernel_btf,
      .max_events = options.max_events > 0 ? options.max_events : options.output_limit_lines,
      .events_per_second = options.rate,
      .max_packets = options.max_packets,
      .tuple = options.output_tuple,
      .tunnel = options.output_tunnel,
      .skb_dump = options.output_skb,
      .shared_dump = options.output_skb_shared_info,
      .control_words = options.output_skb_cb,
      .caller = options.output_caller,
      .stack = options.output_stack,
  };
  spec.programs = TRY(programs_of(options));
  if (options.output == "pcapng" && !options.output_json)
    spec.snaplen = (options.snaplen + 7) / 8 * 8;
  if (!options.backend.empty())
    spec.backend = backend_from_name(options.backend);
  TRY(set_stack_tracking(options, spec));
  if (!options.filter_mark.empty())
    spec.mark = TRY(of_flag("--filter-mark", parse_mark(options.filter_mark)));
  spec.duration = TRY(of_flag("--duration", parse_duration(options.duration)));
  if (spec.duration > kMaxDuration)
    return refuse(EINVAL, "--duration '" + options.duration + "': at most 168h; 0 runs until interrupted");
  spec.ring_bytes = TRY(ring_bytes_of(options.ring_size));
  NetnsRef netns;
  if (!options.filter_netns.empty())
    netns = TRY(of_flag("--filter-netns", find_netns(host, options.filter_netns)));
  else if (!options.filter_ifname.empty())
    // An index means another interface in every namespace.
    netns = TRY(find_netns(host, host.path("/proc/self/ns/net")));
  spec.netns_inum = netns.inum;
  if (!options.filter_ifname.empty())
    spec.ifindex = TRY(of_flag("--filter-ifname", find_ifindex(host, netns, options.filter_ifname)));
  return spec;
}

Result<PodQuery> pod_query_of(const TraceOptions& options) {
  PodQuery query{.selector_namespace = options.pod_namespace};
  if (options.pods.size() > kMaxPods)
    return refuse(EINVAL,
                  "--pod: at most " + std::to_string(kMaxPods) + " pods can be named; --pod-selector takes any number");
  for (const auto& pod : options.pods)
    query.names.push_back(TRY(of_flag("--pod", parse_pod_name(pod))));
  if (options.pod_selector)
    query.selector = TRY(of_flag("--pod-selector", LabelSelector::parse(*options.pod_selector)));
  if (!options.pod_namespace.empty() && !options.pod_selector)
    return refuse(EINVAL, "-n '" + options.pod_namespace +
                              "': it says where --pod-selector selects; with --pod write " + options.pod_namespace +
                              "/NAME");
  return query;
}

FileRotation rotation_of(const TraceOptions& options) {
  constexpr std::uint64_t kMegabyte = 1U << 20;
  return {.max_bytes = options.output_file_max_size * kMegabyte,
          .backups = {.max_count = options.output_file_max_backups,
                      .max_age_days = options.output_file_max_age,
                      .compress = options.output_file_compress}};
}

Timestamp timestamp_of(const std::string& name) {
  return kTimestamps.at(name);
}

}  // namespace skbtrail
