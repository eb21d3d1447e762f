#pragma once
// Whose a cgroup is, by its path alone: what kubelets, container runtimes and their cgroup drivers call theirs.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace skbtrail {

struct CgroupOwner {
  std::string pod_uid = {};       // with dashes as the kubelet writes it; of a static pod 32 digits without any
  std::string container_id = {};  // 64 digits; empty: the cgroup of the pod itself
  friend bool operator==(const CgroupOwner&, const CgroupOwner&) = default;
};

// A longer path is nobody's: the kernel's own paths are shorter (PATH_MAX).
inline constexpr std::size_t kMaxCgroupPath = 4096;

// From the root of the cgroup tree, such as "/kubepods.slice/kubepods-pod….slice/cri-containerd-….scope", with or
// without more levels before and behind. Of pods within pods the outermost counts, since it is the one on this node.
// nullopt: neither a pod's nor a container's. Also so for what only watches a container (conmon).
std::optional<CgroupOwner> parse_cgroup_path(std::string_view path);

// The path in a line of /proc/PID/cgroup that tells containers apart: of cgroup2 ("0::/…"), or when that is the root,
// as on cgroup v1, of systemd's hierarchy and else of any. Empty: there is none.
std::string_view cgroup_path_of(std::string_view proc_cgroup);

// Where cgroup2's tree is mounted from its root on, by the text of /proc/PID/mountinfo; the first such mount counts.
// In a container with a cgroup namespace of its own, "/" is the container's own cgroup: there the mount counts that
// begins furthest above it, which is the host's whole tree where that is mounted.
// nullopt: nowhere, as on a machine with cgroup v1 alone.
std::optional<std::string> cgroup2_mount(std::string_view mountinfo);

}  // namespace skbtrail
