#include "app/trace_command.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>

#include <cstdio>
#include <ctime>
#include <filesystem>
#include <memory>
#include <optional>

#include "app/attach_report.h"
#include "app/exit_code.h"
#include "app/file_room.h"
#include "app/report.h"
#include "app/terminal.h"
#include "app/trace_options.h"
#include "app/trace_pods.h"
#include "base/clock.h"
#include "base/stop.h"
#include "base/unique_fd.h"
#include "session/trace_loop.h"
#include "session/trace_setup.h"
#include "sink/closing_line.h"
#include "sink/fan_out_sink.h"
#include "sink/json_sink.h"
#include "sink/output.h"
#include "sink/pcapng_sink.h"
#include "sink/summary_sink.h"
#include "sink/text_sink.h"

namespace skbtrail {
namespace {

Stop stop;

void request_stop(int) {
  stop.request();
}

void handle_signals() {
  struct sigaction action {};
  action.sa_handler = request_stop;
  // A second Ctrl-C ends the process at once: probes are gone with it all the same.
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  for (const int number : {SIGINT, SIGTERM, SIGHUP})
    ::sigaction(number, &action, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
}

// What prints events, and what it prints to; declared so that the sink goes first.
struct Printing {
  std::unique_ptr<Output> output;
  std::unique_ptr<Output> notes;  // stderr: the summary beside what only programs read
  std::unique_ptr<Sink> sink;
};

bool is_json(const TraceOptions& options) {
  return options.output_json || options.output == "json";
}

bool is_pcapng(const TraceOptions& options) {
  return options.output == "pcapng" && !is_json(options);
}

Result<> check_output(const TraceOptions& options) {
  if (is_pcapng(options) && options.output_file.empty() && ::isatty(STDOUT_FILENO))
    return refuse(EINVAL,
                  "--output pcapng: a capture is no text for a terminal; name a file with --output-file, or pipe "
                  "it into `tshark -r -`");
  return {};
}

constexpr std::uint32_t kMinNetnsName = 10;  // as pwru does

TextOptions text_options_of(const TraceOptions& options, const TraceSpec& spec, bool to_stdout) {
  std::time_t now = std::time(nullptr);
  std::tm local{};
  ::localtime_r(&now, &local);
  return {
      .timestamp = timestamp_of(options.timestamp),
      .pod = spec.pods,
      .meta = options.output_meta,
      .netns_name = options.output_netns_names ? std::max(kMinNetnsName, options.netns_names_max_length) : 0,
      .tuple = options.output_tuple,
      .tcp_flags = options.output_tcp_flags,
      .tunnel = options.output_tunnel,
      .values = !options.output_skb_metadata.empty() || !options.output_xdp_metadata.empty(),
      .control_words = options.output_skb_cb,
      .caller = options.output_caller,
      .stack = options.output_stack,
      .colour = options.colour == "always" || (options.colour == "auto" && to_stdout && wants_colour(STDOUT_FILENO)),
      .width = to_stdout ? terminal_width(STDOUT_FILENO) : 0,
      .utc_offset_s = local.tm_gmtoff,
  };
}

std::string node_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

std::unique_ptr<Sink> event_sink(Output& output, const TraceOptions& options, const TraceSpec& spec) {
  if (is_json(options))
    return std::make_unique<JsonSink>(output, JsonOptions{.node = node_name(), .session = {}});
  if (is_pcapng(options))
    return std::make_unique<PcapngSink>(output, PcapngOptions{.snaplen = options.snaplen, .application = "skbtrail"});
  auto text = std::make_unique<TextSink>(output, text_options_of(options, spec, options.output_file.empty()));
  text->begin();
  return text;
}

Result<std::unique_ptr<Output>> open_output(const TraceOptions& options) {
  if (!options.output_file.empty())
    return Output::open(options.output_file, rotation_of(options));
  const int mode = ::fcntl(STDOUT_FILENO, F_GETFL);
  if (mode < 0 || (mode & O_ACCMODE) == O_RDONLY)
    return refuse(EBADF, "stdout is closed: open it, or name a file with --output-file");
  return Output::borrow(STDOUT_FILENO, "stdout");
}

Result<Printing> open_printing(const TraceOptions& options, const TraceSpec& spec) {
  Printing printing;
  printing.output = TRY(open_output(options));
  printing.notes = Output::borrow(STDERR_FILENO, "stderr");
  printing.output->stop_waiting_when(stop);
  printing.notes->stop_waiting_when(stop);
  std::vector<std::unique_ptr<Sink>> sinks;
  sinks.push_back(event_sink(*printing.output, options, spec));
  if (options.summary)
    sinks.push_back(
        std::make_unique<SummarySink>(is_json(options) || is_pcapng(options) ? *printing.notes : *printing.output));
  printing.sink = std::make_unique<FanOutSink>(std::move(sinks));
  return printing;
}

void touch(const std::string& path) {
  if (path.empty())
    return;
  const UniqueFd file{::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644)};
  if (!file)
    std::fprintf(stderr, "skbtrail trace: cannot create ready file '%s': %s\n", path.c_str(), std::strerror(errno));
}

void wait_for(const std::vector<BackgroundRemoval>& removals) {
  for (const auto& removal : removals)
    while (::kill(removal.pid, 0) == 0)
      ::poll(nullptr, 0, 50);
}

void tell_removals(const std::vector<BackgroundRemoval>& removals) {
  for (const auto& removal : removals)
    std::fprintf(stderr, "%zu kprobes are off and being removed in the background by process %d\n", removal.probes,
                 removal.pid);
}

void tell_remarks(const TracerObject& tracer, const TraceTotals& totals, const TracePods& pods) {
  if (const auto misses = tracer.recursion_misses())
    std::fprintf(stderr, "the kernel skipped %llu hits of any packet because a probe already ran on that CPU\n",
                 static_cast<unsigned long long>(misses));
  if (totals.packets_aged > 0)
    std::fprintf(stderr, "%llu packets were not seen for %lld s and then no longer followed\n",
                 static_cast<unsigned long long>(totals.packets_aged),
                 static_cast<long long>(FollowedTable::kMaxSilence.count()));
  if (!pods.watch)
    return;
  if (const auto remark = pods_remark(pods.watch->stage().totals()); !remark.empty())
    std::fprintf(stderr, "%s\n", remark.c_str());
  if (const auto trouble = pods.source->trouble(); !trouble.empty())
    std::fprintf(stderr, "what is known of pods is old or missing: %s\n", trouble.c_str());
}

void tell_backups(Output& output) {
  for (const auto& remark : output.finish_backups())
    std::fprintf(stderr, "%s\n", remark.c_str());
}

// Null when nobody asked for BPF programs.
Result<std::unique_ptr<TracedPrograms>> trace_programs(PreparedTrace& prepared, const TraceSpec& spec) {
  if (spec.programs.empty())
    return std::unique_ptr<TracedPrograms>{};
  auto programs = std::make_unique<TracedPrograms>(
      prepared.tracer, spec.programs, prepared.programs_refused,
      [](const std::string& line) { std::fprintf(stderr, "skbtrail trace: %s\n", line.c_str()); });
  TRY(programs->poll(TracedPrograms::kMaxPrograms));
  std::fprintf(stderr, "tracing: %zu BPF programs, %zu refused\n", programs->attached(), programs->refused());
  return programs;
}

int run_prepared(PreparedTrace& prepared, const TraceSpec& spec, const TraceOptions& options, const Printing& printing,
                 const TracePods& pods, AttachReport& attach_report) {
  auto attached = attach_prepared(prepared, stop);
  if (!attached)
    return report("trace", attached.error(), start_code_of(attached.error().code));
  const auto probes = std::move(*attached);
  auto programs = trace_programs(prepared, spec);
  if (!programs)
    return report("trace", programs.error(), start_code_of(programs.error().code));
  Decoder decoder = decoder_of(prepared, spec);
  decoder.set_programs(programs->get());
  bool ready = false;
  NetnsNames netns_names{HostRoot{}};
  TraceLoop loop{
      {.tracer = prepared.tracer,
       .probes = *probes,
       .decoder = decoder,
       .sink = *printing.sink,
       .pods = pods.watch.get(),
       .netns_names = options.output_netns_names ? &netns_names : nullptr,
       .programs = programs->get()},
      {.duration = spec.duration, .max_events = spec.max_events, .events_per_second = spec.events_per_second},
      stack_use_of(prepared, spec),
      [&](const AttachProgress& progress) {
        attach_report.show(progress, monotonic_ns());
        if (progress.complete && !std::exchange(ready, true))
          touch(options.ready_file);
      }};
  const auto done = loop.run(stop);
  attach_report.finish();
  auto totals = loop.totals();
  totals.backend = backend_of(prepared, spec);
  tell_remarks(prepared.tracer, totals, pods);
  tell_backups(*printing.output);
  if (!done)
    (void)report("trace", done.error(), kExitFailed);
  tell_removals(loop.removals());
  std::fprintf(stderr, "%s\n", closing_line(totals).c_str());
  if (options.wait_detach)
    wait_for(loop.removals());
  return done ? kExitDone : kExitFailed;
}

int run_trace(const TraceOptions& options) {
  const HostRoot host;
  if (const auto checked = check_output(options); !checked)
    return report("trace", checked.error(), kExitUsage);
  auto spec = trace_spec_of(options, host);
  if (!spec)
    return report("trace", spec.error(), exit_code_of(spec.error().code));
  const auto query = pod_query_of(options);
  if (!query)
    return report("trace", query.error(), exit_code_of(query.error().code));
  if (const auto room = make_file_room(); !room)
    return report("trace", room.error(), exit_code_of(room.error().code));
  auto pods = open_trace_pods(*query, options, host);
  if (!pods)
    return report("trace", pods.error(), exit_code_of(pods.error().code));
  spec->pods = pods->watch != nullptr;
  spec->only_pods = !query->empty();
  AttachReport attach_report{terminal_width(STDERR_FILENO) > 0, monotonic_ns()};
  KernelNames names{host};
  auto prepared = prepare_trace(*spec, host, names);
  if (!prepared)
    return report("trace", prepared.error(), exit_code_of(prepared.error().code));
  auto printing = open_printing(options, *spec);
  if (!printing)
    return report("trace", printing.error(), kExitFailed);
  handle_signals();
  return run_prepared(*prepared, *spec, options, *printing, *pods, attach_report);
}

}  // namespace

void add_trace_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<TraceOptions>();
  auto* command = app.add_subcommand("trace", "Follow packets through the kernel on this machine");
  declare_trace_options(*command, *options);
  command->callback([options, &exit_code] { exit_code = run_trace(*options); });
}

}  // namespace skbtrail
