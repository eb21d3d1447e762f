#include "pods/task_facts.h"

#include <algorithm>
#include <tuple>
#include <unordered_map>

namespace skbtrail {
namespace {

using TaskByCgroup = std::unordered_map<std::uint64_t, const TaskPlace*>;

// The first process of each cgroup; those in the host's namespace say nothing about a pod's.
TaskByCgroup first_tasks(std::span<const TaskPlace> tasks, std::uint32_t host_netns_inum) {
  TaskByCgroup first;
  for (const TaskPlace& task : tasks) {
    if (task.cgroup_id == 0 || task.netns_inum == 0 || task.netns_inum == host_netns_inum)
      continue;
    const TaskPlace*& known = first[task.cgroup_id];
    if (!known || task.pid < known->pid)
      known = &task;
  }
  return first;
}

bool belongs(const PodCgroup& cgroup, const Sandbox& sandbox) {
  if (!cgroup.pod_uid.empty())
    return cgroup.pod_uid == sandbox.pod->uid;
  return cgroup.container_id == sandbox.id ||
         std::ranges::find(sandbox.container_ids, cgroup.container_id) != sandbox.container_ids.end();
}

const TaskPlace* task_of(const Sandbox& sandbox, const TaskByCgroup& first, std::span<const PodCgroup> cgroups) {
  const TaskPlace* best = nullptr;
  std::tuple<bool, std::uint32_t> best_rank;
  for (const PodCgroup& cgroup : cgroups) {
    const auto found = first.find(cgroup.cgroup_id);
    if (found == first.end() || !belongs(cgroup, sandbox))
      continue;
    const std::tuple rank{cgroup.container_id != sandbox.id, found->second->pid};
    if (!best || rank < best_rank) {
      best = found->second;
      best_rank = rank;
    }
  }
  return best;
}

}  // namespace

bool lacks_netns(const Sandbox& sandbox) {
  return sandbox.pod && sandbox.netns_inum == 0 && !sandbox.pod->host_network && sandbox.ready && !sandbox.gone_since;
}

std::size_t complete_from_tasks(std::span<Sandbox> sandboxes, std::span<const TaskPlace> tasks,
                                std::span<const PodCgroup> cgroups, std::uint32_t host_netns_inum) {
  const TaskByCgroup first = first_tasks(tasks, host_netns_inum);
  std::size_t completed = 0;
  for (Sandbox& sandbox : sandboxes) {
    const TaskPlace* task = lacks_netns(sandbox) ? task_of(sandbox, first, cgroups) : nullptr;
    if (!task)
      continue;
    sandbox.netns_inum = task->netns_inum;
    sandbox.netns_cookie = task->netns_cookie;
    ++completed;
  }
  return completed;
}

}  // namespace skbtrail
