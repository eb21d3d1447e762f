#pragma once
// Pod: who a packet belongs to. Values only; agent/pods finds them, every sink prints them.

#include <cstdint>
#include <map>
#include <string>

namespace skbtrail {

struct Pod {
  std::string namespace_name;
  std::string name;
  std::string uid;
  std::map<std::string, std::string> labels = {};  // as the runtime was told them by the kubelet
  bool host_network = false;                       // shares the node's network namespace
};

// Inside: in the pod's own network namespace, or on its socket. Host: on the node's end of the pod's link.
enum class PodSide : std::uint8_t { Inside, Host };

// A pod at one place of a packet's way. Borrowed from the PodIndex that answered; null: no pod is known.
struct PodAt {
  const Pod* pod = nullptr;
  PodSide side = PodSide::Inside;
  friend bool operator==(const PodAt&, const PodAt&) = default;
};

}  // namespace skbtrail
