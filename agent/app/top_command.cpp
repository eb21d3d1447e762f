#include "app/top_command.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>

#include "app/ending.h"
#include "app/exit_code.h"
#include "app/report.h"
#include "app/terminal.h"
#include "app/units.h"
#include "monitor/drop_source.h"
#include "monitor/pod_view.h"
#include "monitor/top_drops.h"
#include "monitor/top_page.h"

namespace skbtrail {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kShortest{200};
constexpr std::chrono::hours kLongest{1};
constexpr std::size_t kMostRows = 1000;
constexpr std::uint32_t kDropEntries = 16'384;
constexpr const char* kClear = "\x1b[H\x1b[J";

struct TopOptions {
  std::string interval = "2s";
  std::size_t rows = 20;
  std::uint64_t count = 0;
  bool advice = true;
};

Result<std::chrono::milliseconds> interval_of(const TopOptions& options) {
  const auto interval = TRY(parse_duration(options.interval));
  if (interval < kShortest || interval > kLongest)
    return refuse(EINVAL, "'" + options.interval + "': from 200ms to 1h");
  return std::chrono::duration_cast<std::chrono::milliseconds>(interval);
}

// Whether the page could be written.
bool print_page(const std::string& page) {
  const bool live = ::isatty(STDOUT_FILENO);
  return std::fputs(live ? kClear : "", stdout) >= 0 && std::fputs(page.c_str(), stdout) >= 0 &&
         (live || std::fputs("\n", stdout) >= 0) && std::fflush(stdout) == 0;
}

Result<> watch(DropSource& source, const TopOptions& options, std::chrono::milliseconds interval,
               const Ending& ending) {
  const NoPods pods;
  DropNames names = source.names();
  names.pod = [&](const PacketPlace& place) { return pods.find(place); };
  TopDrops drops;
  auto last = Clock::now();
  for (std::uint64_t round = 0; options.count == 0 || round < options.count; ++round) {
    if (ending.comes_within(interval))
      return {};
    const auto now = Clock::now();
    drops.take(TRY(source.growth()), names);
    if (!print_page(top_page(drops, {.round = now - last,
                                     .rows = options.rows,
                                     .width = terminal_width(STDOUT_FILENO),
                                     .advice = options.advice}))) {
      const int err = errno;
      return fail(err, "write to stdout");
    }
    last = now;
  }
  return {};
}

int run_top(const TopOptions& options) {
  const auto interval = interval_of(options);
  if (!interval)
    return report("top", within("--interval", interval.error()), kExitUsage);
  const Ending ending;
  auto source = DropSource::start(HostRoot{}, {.drop_entries = kDropEntries});
  if (!source)
    return report("top", source.error(), start_code_of(source.error().code));
  if (const auto done = watch(*source, options, *interval, ending); !done)
    return report("top", done.error(), kExitFailed);
  return kExitDone;
}

}  // namespace

void add_top_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<TopOptions>();
  CLI::App* top = app.add_subcommand("top", "Show live where packets are lost, why, and what to look at");
  top->add_option("--interval", options->interval, "Time between two views, 200ms to 1h")->capture_default_str();
  top->add_option("--rows", options->rows, "Places shown at most")
      ->check(CLI::Range(std::size_t{1}, kMostRows))
      ->capture_default_str();
  top->add_option("--count", options->count, "End after so many views; 0: when interrupted")
      ->check(CLI::Range(std::uint64_t{0}, std::uint64_t{1'000'000'000}))
      ->capture_default_str();
  top->add_flag("--advice,!--no-advice", options->advice, "Below each place: what its reason means, what to check")
      ->default_str("true");
  top->callback([options, &exit_code] { exit_code = run_top(*options); });
}

}  // namespace skbtrail
