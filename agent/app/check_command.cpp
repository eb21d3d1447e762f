#include "app/check_command.h"

#include <iostream>
#include <memory>
#include <string>

#include "app/check_report.h"

namespace skbtrail {
namespace {

constexpr int kCanTrace = 0;
constexpr int kWrongUsage = 2;
constexpr int kCannotTrace = 3;

struct CheckOptions {
  BtfRequest btf;
  std::string output = "table";
  ListedFunctions listed;
};

int run_check(const CheckOptions& options) {
  const auto report = examine(HostRoot{}, options.btf);
  if (!report) {
    std::cerr << "skbtrail check: " << report.error().message << '\n';
    return kWrongUsage;
  }
  std::cout << (options.output == "json" ? as_json(*report, options.listed) : as_table(*report, options.listed))
            << std::flush;
  return report->can_trace() ? kCanTrace : kCannotTrace;
}

}  // namespace

void add_check_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<CheckOptions>();
  CLI::App* check = app.add_subcommand("check", "Show what this kernel offers, which backend is used and why");
  check->add_option("-o,--output", options->output, "How to print")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
  auto* modules = check->add_option("--kmods", options->btf.modules, "Also look at the functions of these modules")
                      ->delimiter(',')
                      ->type_name("MODULE,...");
  check->add_flag("--all-kmods", options->btf.all_modules, "Also look at the functions of all loaded modules")
      ->excludes(modules);
  check->add_option("--kernel-btf", options->btf.vmlinux_path, "Read the kernel's types from this file")
      ->type_name("PATH");
  check->add_flag("--functions", options->listed.attachable, "List every function that can be traced");
  check->add_flag("--refused", options->listed.refused, "List every refused function with its reason");
  check->callback([options, &exit_code] { exit_code = run_check(*options); });
}

}  // namespace skbtrail
