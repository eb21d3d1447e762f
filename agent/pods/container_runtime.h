#pragma once
// ContainerRuntime: what is asked of a node's container runtime. CriClient asks a real one; tests have their own.

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/packet_event.h"

namespace skbtrail {

struct RuntimeVersion {
  std::string name;     // "containerd", "cri-o", "docker"
  std::string version;  // "1.6.20~ds1", "v2.4.2"
};

struct ListedSandbox {
  std::string id;
  std::string namespace_name = {};
  std::string name = {};
  std::string uid = {};
  bool ready = true;
  std::int64_t created_ns = 0;  // since the Unix epoch
  std::map<std::string, std::string> labels = {};
};

// Where the runtime says that a sandbox or container runs. It may say nothing at all.
struct RuntimePlace {
  std::string netns_path = {};  // as the host sees it; empty: not said
  pid_t pid = 0;                // in the host's pid namespace; 0: not said, or not running
  friend bool operator==(const RuntimePlace&, const RuntimePlace&) = default;
};

struct SandboxStatus {
  bool host_network = false;
  std::vector<IpAddress> addresses = {};
  RuntimePlace place = {};
};

struct ListedContainer {
  std::string id;
  std::string sandbox_id;
  bool running = false;
};

// Every call returns within a deadline. Errors: ENOENT it knows no such object (any more), ENOTSUP it does not offer
// the call, EBADMSG its answer makes no sense, ETIMEDOUT, ECONNREFUSED, EACCES, EIO. For one thread, but for cancel().
class ContainerRuntime {
public:
  virtual ~ContainerRuntime() = default;

  virtual const std::string& socket() const = 0;
  virtual Result<RuntimeVersion> version() = 0;
  virtual Result<std::vector<ListedSandbox>> list_sandboxes() = 0;
  virtual Result<SandboxStatus> sandbox_status(const std::string& id) = 0;
  virtual Result<std::vector<ListedContainer>> list_containers() = 0;
  virtual Result<RuntimePlace> container_place(const std::string& id) = 0;
  // Calls `on_event` whenever a container or sandbox changed, until the runtime ends the stream or cancel() is called;
  // has no deadline. A thread of its own may be in here while another one uses the calls above.
  virtual Result<> follow_events(const std::function<void()>& on_event) = 0;
  // From any thread: ends what is under way, and all that comes after, with ECANCELED.
  virtual void cancel() = 0;
};

}  // namespace skbtrail
