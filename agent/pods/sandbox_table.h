#pragma once
// SandboxTable: every sandbox of the runtime's lists with what was found out about it, and the deleted ones for a
// while. No thread and no clock of its own.

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "pods/container_runtime.h"
#include "pods/facts.h"
#include "pods/netns_file.h"

namespace skbtrail {

using SteadyTime = std::chrono::steady_clock::time_point;

// How the system is asked; a test answers from memory.
struct NetnsOpeners {
  std::function<Result<NetnsFile>(const std::string& path)> by_path;
  std::function<Result<NetnsFile>(pid_t pid)> by_pid;
  std::function<std::uint64_t(const NetnsFile&)> cookie;  // 0: none
};

// What could not be found out so far; each counts attempts, not sandboxes.
struct SandboxFaults {
  std::uint64_t malformed = 0;      // answers of the runtime that make no sense
  std::uint64_t without_netns = 0;  // sandboxes of which neither path nor pid led to a namespace
  std::uint64_t beyond_bound = 0;   // sandboxes left out, because there were kMaxSandboxes already
  std::string last = {};            // one line; empty: none yet
};

class SandboxTable final {
public:
  static constexpr std::chrono::seconds kTombstone{60};
  // A node has at most a few hundred pods; each costs 1 to 2 KB and a file descriptor.
  static constexpr std::size_t kMaxSandboxes = 4'096;
  static constexpr std::size_t kMaxContainers = 256;  // of one sandbox

  explicit SandboxTable(NetnsOpeners openers);

  // Asks the runtime what there is now. An error means that the runtime does not answer: what was known stays. Faults
  // of single sandboxes are counted, and tried again the next time.
  Result<> refresh(ContainerRuntime& runtime, SteadyTime now);
  // Forgets tombstones that are old enough. Whether there was one.
  bool expire(SteadyTime now);

  // By id. Changed since the last call of take_changed()?
  std::vector<Sandbox> sandboxes() const;
  bool take_changed() { return std::exchange(changed_, false); }
  const SandboxFaults& faults() const { return faults_; }

private:
  struct Known {
    Sandbox sandbox;
    bool has_status = false;                       // the runtime has told all but the namespace
    unsigned attempts = 0;                         // to complete it
    std::optional<SteadyTime> stopped_since = {};  // from then on its namespace is held no longer than a tombstone
  };
  using Containers = std::map<std::string, std::vector<ListedContainer>>;  // by sandbox

  void admit(const ListedSandbox& listed, SteadyTime now);
  bool wants_more(const Known& known) const;
  Result<> complete_all(ContainerRuntime& runtime, const Containers& containers);
  Result<> complete(ContainerRuntime& runtime, Known& known, const std::vector<ListedContainer>& containers);
  Result<NetnsFile> find_netns(ContainerRuntime& runtime, const Known& known, const RuntimePlace& place,
                               const std::vector<ListedContainer>& containers);
  Result<NetnsFile> find_at(const RuntimePlace& place, const std::function<Result<RuntimePlace>()>& ask_again) const;
  void note_containers(const Containers& containers);
  void bury_missing(const std::set<std::string>& listed, SteadyTime now);
  void note_fault(std::uint64_t& count, const std::string& message);

  NetnsOpeners openers_;
  std::map<std::string, Known> known_;
  SandboxFaults faults_;
  bool changed_ = false;
};

}  // namespace skbtrail
