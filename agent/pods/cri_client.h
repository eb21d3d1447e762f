#pragma once
// CriClient: a container runtime that speaks the Container Runtime Interface, version v1, on a unix socket.

#include <chrono>
#include <memory>
#include <string>

#include "pods/container_runtime.h"

namespace skbtrail {

struct CriOptions {
  std::string socket;                              // a path of this mount namespace, at most 107 bytes
  std::chrono::milliseconds call_deadline{5'000};  // of each call but follow_events()
};

// Connects when it is first used, and again whenever the connection was lost. An answer has at most 16 MiB, as the
// kubelet has it. EINVAL: the path is too long for a unix socket.
Result<std::unique_ptr<ContainerRuntime>> make_cri_client(const CriOptions& options);

}  // namespace skbtrail
