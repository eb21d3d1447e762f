#pragma once
// `skbtrail crds`: prints what the API server has to know of our objects, for `kubectl apply -f -`.

#include <CLI/App.hpp>

namespace skbtrail {

// Adds the subcommand; `exit_code` is set when it ran.
void add_crds_command(CLI::App& app, int& exit_code);

}  // namespace skbtrail
