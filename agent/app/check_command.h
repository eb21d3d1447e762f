#pragma once
// `skbtrail check`: what this kernel and these privileges allow, and why not more.

#include <CLI/CLI.hpp>

namespace skbtrail {

// Adds the subcommand; `exit_code` is set when it ran: 0 can trace, 3 cannot, 2 wrong request. Outlives the parse.
void add_check_command(CLI::App& app, int& exit_code);

}  // namespace skbtrail
