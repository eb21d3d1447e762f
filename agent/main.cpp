// skbtrail: dispatches to one command. Each command is a file in app/.
#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <string>
#include <string_view>

#include "app/agent_command.h"
#include "app/check_command.h"
#include "app/crds_command.h"
#include "app/exit_code.h"
#include "app/pods_command.h"
#include "app/top_command.h"
#include "app/trace_command.h"
#include "kernel/kprobe_worker.h"
#include "kernel/libbpf_log.h"

namespace {

using namespace skbtrail;

// A standard stream that the caller closed would give its number to the first file we open, and what is printed would
// go there. Reading ends of /dev/null keep the numbers, and writing to them still fails.
void occupy_standard_streams() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd)
    if (::fcntl(fd, F_GETFD) < 0 && ::open("/dev/null", fd == STDERR_FILENO ? O_WRONLY : O_RDONLY) != fd)
      return;
}

// One line, where CLI11 prints two or more.
int report_usage(const CLI::App& app, const CLI::ParseError& error, std::string_view first_word) {
  std::string command = "skbtrail";
  for (const auto* subcommand : app.get_subcommands())
    command += " " + subcommand->get_name();
  std::string message = error.what();
  // CLI11 would only say that a subcommand is required.
  if (app.get_subcommands().empty() && !first_word.empty())
    message = "there is no command '" + std::string(first_word) + "'";
  std::ranges::replace(message, '\n', ' ');
  std::fprintf(stderr, "%s: %s; `%s --help` lists what it takes\n", command.c_str(), message.c_str(), command.c_str());
  return kExitUsage;
}

int run(int argc, char** argv) {
  keep_libbpf_quiet();
  CLI::App app{"skbtrail says where in the kernel a packet went and why it went no further."};
  app.set_version_flag("--version", std::string("skbtrail ") + SKBTRAIL_VERSION);
  app.require_subcommand(1);
  int exit_code = kExitDone;
  add_trace_command(app, exit_code);
  add_agent_command(app, exit_code);
  add_check_command(app, exit_code);
  add_pods_command(app, exit_code);
  add_top_command(app, exit_code);
  add_crds_command(app, exit_code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return error.get_exit_code() == 0 ? app.exit(error) : report_usage(app, error, argc > 1 ? argv[1] : "");
  }
  return exit_code;
}

}  // namespace

// NOLINTNEXTLINE(bugprone-exception-escape): one that nobody catches is a bug, or no memory; both end the process
int main(int argc, char** argv) {
  occupy_standard_streams();
  // Not for users: the helper process of single kprobes.
  if (argc == 3 && std::string_view(argv[1]) == kWorkerCommand)
    return run_kprobe_worker(argv[2]);
  return run(argc, argv);
}
