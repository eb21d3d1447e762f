#include "app/crds_command.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>

#include "app/crds_text.h"
#include "app/exit_code.h"

namespace skbtrail {
namespace {

int print(const std::string& text) {
  const bool is_out = std::fputs(text.c_str(), stdout) >= 0 && std::fflush(stdout) == 0;
  return is_out ? kExitDone : kExitFailed;
}

}  // namespace

void add_crds_command(CLI::App& app, int& exit_code) {
  CLI::App* crds = app.add_subcommand("crds", "Print the definitions of TraceSession and ClusterTraceSession, as YAML");
  crds->callback([&exit_code] { exit_code = print(crds_text()); });
}

}  // namespace skbtrail
