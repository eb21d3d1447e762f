#pragma once
// `skbtrail top`: a live view of where packets are lost.

#include <CLI/App.hpp>

namespace skbtrail {

// Adds the subcommand; `exit_code` is set when it ran.
void add_top_command(CLI::App& app, int& exit_code);

}  // namespace skbtrail
