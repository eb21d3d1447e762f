#pragma once
// `skbtrail agent`: what stays on on a node.

#include <CLI/App.hpp>

namespace skbtrail {

// Adds the subcommand; `exit_code` is set when it ran.
void add_agent_command(CLI::App& app, int& exit_code);

}  // namespace skbtrail
