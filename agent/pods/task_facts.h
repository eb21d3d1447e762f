#pragma once
// What the kernel's list of processes adds to what the container runtime said. Pure.

#include <cstdint>
#include <span>

#include "model/task_place.h"
#include "pods/facts.h"

namespace skbtrail {

// A pod with a namespace of its own and processes in it, of which only the namespace is not known.
bool lacks_netns(const Sandbox& sandbox);

// Gives a sandbox whose network namespace the runtime did not lead to that of its processes: of the sandbox's own
// cgroup first, then of the pod's containers, of the process with the lowest number. Pods of the host's network keep
// none. Returns how many sandboxes got one. The namespace is not held open: where kernels have cookies, the cookie
// tells it from a later one with the same inode.
std::size_t complete_from_tasks(std::span<Sandbox> sandboxes, std::span<const TaskPlace> tasks,
                                std::span<const PodCgroup> cgroups, std::uint32_t host_netns_inum);

}  // namespace skbtrail
