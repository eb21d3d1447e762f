#include "app/pods_command.h"

#include <algorithm>
#include <chrono>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "app/exit_code.h"
#include "app/file_room.h"
#include "app/pods_report.h"
#include "app/task_lister.h"
#include "kernel/host_root.h"
#include "pods/cgroup_path.h"
#include "pods/cgroup_tree.h"
#include "pods/link_monitor.h"
#include "pods/pod_directory.h"
#include "pods/task_facts.h"

namespace skbtrail {
namespace {

struct PodsOptions {
  std::string host_root = "/";
  std::string cri;
  std::string output = "table";
};

Result<> list_interfaces(PodsReport& report) {
  const auto links = TRY(LinkMonitor::open());
  std::vector<NetnsFd> namespaces;
  for (const Sandbox& one : report.sandboxes)
    if (one.netns && one.netns_inum != report.host_netns_inum)
      namespaces.push_back({.inum = one.netns_inum, .fd = one.netns->get()});
  auto covered = links->cover(namespaces);
  // What was listed is so, whatever was refused.
  report.interfaces = links->interfaces();
  if (links->own_inum() != report.host_netns_inum)
    return refuse(ENOTSUP, "the node's ends of links are not seen from another network namespace than the node's");
  return covered;
}

Result<> list_cgroups(PodsReport& report) {
  const auto mount = cgroup2_mount(TRY(HostRoot().read("/proc/self/mountinfo")));
  if (!mount)
    return refuse(ENOTSUP, "cgroup2 is not mounted");
  report.cgroups = TRY(CgroupTree::open(*mount))->cgroups();
  return {};
}

// Of pods whose namespace the runtime does not lead to.
Result<> ask_processes(PodsReport& report) {
  if (std::ranges::none_of(report.sandboxes, lacks_netns))
    return {};
  complete_from_tasks(report.sandboxes, TRY(task_lister()()), report.cgroups, report.host_netns_inum);
  return {};
}

// The pods are listed whatever else is refused.
void note_lack(PodsReport& report, const char* what, const Result<>& done) {
  if (!done)
    report.lacks.push_back(what + (": " + done.error().message));
}

Result<PodsReport> list_pods(const PodsOptions& options) {
  TRY(make_file_room());
  RuntimeSearch search{.host_root = options.host_root};
  if (!options.cri.empty())
    search.socket = options.cri;
  const auto directory = TRY(directory_options(search));
  const auto runtime = TRY(directory.find_runtime());
  SandboxTable table{directory.openers};
  PodsReport report{
      .runtime = TRY(runtime->version()), .socket = runtime->socket(), .host_netns_inum = directory.host_netns_inum};
  TRY(table.refresh(*runtime, std::chrono::steady_clock::now()));
  report.sandboxes = table.sandboxes();
  report.faults = table.faults();
  note_lack(report, "interfaces", list_interfaces(report));
  note_lack(report, "cgroups", list_cgroups(report));
  note_lack(report, "pods without a namespace", ask_processes(report));
  return report;
}

int run_pods(const PodsOptions& options) {
  const auto report = list_pods(options);
  if (!report) {
    std::cerr << "skbtrail pods: " << report.error().message << '\n';
    return exit_code_of(report.error().code);
  }
  std::cout << (options.output == "json" ? as_json(*report) : as_table(*report)) << std::flush;
  if (!report->faults.last.empty() && options.output != "json")
    std::cerr << "skbtrail pods: not everything could be found out: " << report->faults.last << '\n';
  if (options.output != "json")
    for (const auto& lack : report->lacks)
      std::cerr << "skbtrail pods: not everything could be found out: " << lack << '\n';
  if (!std::cout) {
    std::cerr << "skbtrail pods: the list could not be written\n";
    return kExitFailed;
  }
  return kExitDone;
}

}  // namespace

void add_pods_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<PodsOptions>();
  CLI::App* pods = app.add_subcommand("pods", "List the pods of this node with their network namespaces");
  pods->add_option("-o,--output", options->output, "How to print")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
  pods->add_option("--cri", options->cri, "The container runtime's socket, instead of looking for it")
      ->type_name("SOCKET");
  pods->add_option("--host-root", options->host_root, "Where the host's files are seen, in a container")
      ->type_name("PATH")
      ->check(CLI::ExistingDirectory)
      ->capture_default_str();
  pods->callback([options, &exit_code] { exit_code = run_pods(*options); });
}

}  // namespace skbtrail
