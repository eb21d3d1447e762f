#pragma once
// `skbtrail pods`: which pods this node has, and in which network namespace each is.

#include <CLI/CLI.hpp>

namespace skbtrail {

// Adds the subcommand; `exit_code` is set when it ran: 0 listed, 3 no container runtime answers or a privilege is
// missing, 1 the runtime stopped answering. Outlives the parse.
void add_pods_command(CLI::App& app, int& exit_code);

}  // namespace skbtrail
