#pragma once
// `skbtrail trace`: a standalone trace on this machine.

#include <CLI/App.hpp>

namespace skbtrail {

// Adds the subcommand; `exit_code` is set when it ran.
void add_trace_command(CLI::App& app, int& exit_code);

}  // namespace skbtrail
