#pragma once
// PodsReport: what `skbtrail pods` shows, and the two ways of showing it.

#include <cstdint>
#include <string>
#include <vector>

#include "pods/container_runtime.h"
#include "pods/facts.h"
#include "pods/sandbox_table.h"

namespace skbtrail {

struct PodsReport {
  RuntimeVersion runtime = {};
  std::string socket = {};
  std::uint32_t host_netns_inum = 0;
  std::vector<Sandbox> sandboxes = {};
  std::vector<Interface> interfaces = {};  // of the pods and of the node
  std::vector<PodCgroup> cgroups = {};
  std::vector<std::string> lacks = {};  // what the node does not tell of interfaces and cgroups, each with its reason
  SandboxFaults faults = {};
};

// One line for each sandbox, by namespace and name; control characters are replaced. Loopback is left out.
std::string as_table(const PodsReport& report);
// docs/pods.md describes it.
std::string as_json(const PodsReport& report);

}  // namespace skbtrail
