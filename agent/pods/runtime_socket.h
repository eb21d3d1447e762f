#pragma once
// Which container runtime a node has: the first of the usual sockets that answers.

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "pods/container_runtime.h"

namespace skbtrail {

// containerd, k3s, k0s, microk8s, CRI-O, cri-dockerd; in this order.
std::span<const std::string_view> usual_runtime_sockets();

struct RuntimeSearch {
  std::filesystem::path host_root = "/";   // where the host's files are seen
  std::optional<std::string> socket = {};  // only this one, as it stands; else the usual ones under `host_root`
};

// A runtime that has answered Version. ENOTSUP: none did; the message names every socket and what was wrong with it.
Result<std::unique_ptr<ContainerRuntime>> find_container_runtime(const RuntimeSearch& search);

}  // namespace skbtrail
