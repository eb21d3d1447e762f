#include "pods/runtime_socket.h"

#include <sys/stat.h>

#include <array>
#include <cstring>

#include "pods/cri_client.h"

namespace skbtrail {
namespace {

constexpr std::array<std::string_view, 7> kUsualSockets = {
    "/run/containerd/containerd.sock",
    "/run/k3s/containerd/containerd.sock",
    "/run/k0s/containerd.sock",
    "/var/snap/microk8s/common/run/containerd.sock",
    "/run/crio/crio.sock",
    "/run/cri-dockerd.sock",
    "/var/run/cri-dockerd.sock",
};

constexpr std::chrono::seconds kProbeDeadline{5};

// Why this cannot be a runtime's socket; empty when it can.
std::string fault_of(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0)
    return errno == ENOENT ? "not there" : std::strerror(errno);
  return S_ISSOCK(info.st_mode) ? "" : "is no socket";
}

Result<std::unique_ptr<ContainerRuntime>> try_socket(const std::string& path) {
  if (const auto fault = fault_of(path); !fault.empty())
    return refuse(ENOTSUP, "'" + path + "' " + fault);
  // A socket behind which nothing moves must not keep the next one from being tried.
  const auto probe = TRY(make_cri_client({.socket = path, .call_deadline = kProbeDeadline}));
  TRY(probe->version());
  return make_cri_client({.socket = path});
}

}  // namespace

std::span<const std::string_view> usual_runtime_sockets() {
  return kUsualSockets;
}

Result<std::unique_ptr<ContainerRuntime>> find_container_runtime(const RuntimeSearch& search) {
  if (search.socket) {
    auto runtime = try_socket(*search.socket);
    if (!runtime)
      return refuse(ENOTSUP, "no container runtime: " + runtime.error().message +
                                 "; is it running, and is this the socket of its CRI?");
    return runtime;
  }
  std::string faults;
  for (const std::string_view socket : kUsualSockets) {
    auto runtime = try_socket((search.host_root / std::filesystem::path(socket).relative_path()).string());
    if (runtime)
      return runtime;
    faults += (faults.empty() ? "" : ", ") + runtime.error().message;
  }
  return refuse(ENOTSUP, "no container runtime: " + faults + "; start one, or name its socket with --cri");
}

}  // namespace skbtrail
