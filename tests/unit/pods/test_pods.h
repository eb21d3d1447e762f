#pragma once
// Facts about pods, for tests: only what a test is about has to be said.

#include <arpa/inet.h>

#include <memory>
#include <string>
#include <utility>

#include "pods/facts.h"

namespace skbtrail {

inline constexpr std::uint32_t kHostNetns = 4026531840;

inline std::shared_ptr<const Pod> a_pod(const std::string& name) {
  return std::make_shared<const Pod>(Pod{.namespace_name = "shop", .name = name, .uid = "uid-" + name});
}

inline std::shared_ptr<const Pod> a_host_pod(const std::string& name) {
  Pod pod = *a_pod(name);
  pod.host_network = true;
  return std::make_shared<const Pod>(std::move(pod));
}

inline Sandbox a_sandbox(std::shared_ptr<const Pod> pod, std::uint32_t netns_inum = 0) {
  Sandbox sandbox{.pod = std::move(pod)};
  sandbox.id = "sandbox-" + sandbox.pod->name;
  sandbox.netns_inum = netns_inum;
  return sandbox;
}

inline IpAddress an_address(const char* text) {
  IpAddress address;
  address.version = ::inet_pton(AF_INET, text, address.bytes) == 1 ? 4 : 6;
  if (address.version == 6)
    ::inet_pton(AF_INET6, text, address.bytes);
  return address;
}

}  // namespace skbtrail
