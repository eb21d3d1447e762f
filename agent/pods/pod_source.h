#pragma once
// PodSource: who publishes what is known of this node's pods, always the newest.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pods/container_runtime.h"
#include "pods/pod_index.h"
#include "pods/sandbox_table.h"

namespace skbtrail {

// What the newest index was made of, as the container runtime told it.
struct PodListing {
  RuntimeVersion runtime = {};
  std::string socket = {};
  std::shared_ptr<const std::vector<Sandbox>> sandboxes = {};  // never null; also those that are gone
  std::vector<Interface> interfaces = {};                      // of the pods and of the node
  std::vector<PodCgroup> cgroups = {};
  std::vector<std::string> lacks = {};  // what the node does not tell of these two, each with its reason
  SandboxFaults faults = {};
};

class PodSource {
public:
  virtual ~PodSource() = default;

  // Any thread, with a short lock at most; null: nothing is known yet.
  virtual std::shared_ptr<const PodIndex> current() const = 0;
  virtual std::uint32_t host_netns_inum() const = 0;
  // Any thread, without waiting: somebody met a namespace that the index does not know.
  virtual void hurry() {}
  // Any thread: why the newest may be old, in one line; empty: it is not.
  virtual std::string trouble() const { return {}; }
  // Any thread, with a short lock at most: what could not be found out of single pods so far.
  virtual SandboxFaults faults() const { return {}; }
  // Any thread, with a short lock at most. Nothing: the runtime has not answered yet, or there is none.
  virtual std::optional<PodListing> listing() const { return std::nullopt; }
};

}  // namespace skbtrail
