#include "pods/task_facts.h"

#include <catch2/catch.hpp>

#include "unit/pods/test_pods.h"

using namespace skbtrail;

namespace {

// One sandbox without a namespace, "sandbox-web" of the pod with "uid-web", after the tasks are taken in.
Sandbox completed(Sandbox sandbox, const std::vector<TaskPlace>& tasks, const std::vector<PodCgroup>& cgroups) {
  complete_from_tasks({&sandbox, 1}, tasks, cgroups, kHostNetns);
  return sandbox;
}

const std::vector<PodCgroup> kCgroups = {
    {.cgroup_id = 1, .pod_uid = "uid-web"},
    {.cgroup_id = 2, .pod_uid = "uid-web", .container_id = "container"},
    {.cgroup_id = 3, .pod_uid = "uid-web", .container_id = "sandbox-web"},
    {.cgroup_id = 4, .pod_uid = "uid-db", .container_id = "other"},
};

}  // namespace

TEST_CASE("nothing is made up without a process of the pod") {
  const Sandbox web = a_sandbox(a_pod("web"));
  CHECK(completed(web, {}, kCgroups).netns_inum == 0);
  CHECK(completed(web, {{.pid = 7, .netns_inum = 100, .cgroup_id = 4}}, kCgroups).netns_inum == 0);
  CHECK(completed(web, {{.pid = 7, .netns_inum = 100, .cgroup_id = 9}}, kCgroups).netns_inum == 0);
  CHECK(completed(web, {{.pid = 7, .netns_inum = 100, .cgroup_id = 0}}, kCgroups).netns_inum == 0);
  CHECK(completed(web, {{.pid = 7, .netns_inum = kHostNetns, .cgroup_id = 2}}, kCgroups).netns_inum == 0);
}

TEST_CASE("what the runtime said stays, and a pod of the host's network or a deleted one gets nothing") {
  const std::vector<TaskPlace> tasks = {{.pid = 7, .netns_inum = 100, .netns_cookie = 5, .cgroup_id = 2}};
  CHECK(completed(a_sandbox(a_pod("web"), 200), tasks, kCgroups).netns_inum == 200);
  CHECK(completed(a_sandbox(a_host_pod("web")), tasks, kCgroups).netns_inum == 0);
  Sandbox gone = a_sandbox(a_pod("web"));
  gone.gone_since = std::chrono::steady_clock::time_point{};
  CHECK(completed(gone, tasks, kCgroups).netns_inum == 0);
  Sandbox stopped = a_sandbox(a_pod("web"));
  stopped.ready = false;
  CHECK(completed(stopped, tasks, kCgroups).netns_inum == 0);
}

TEST_CASE(
    "the sandbox's own process tells its namespace, before those of containers, and the first before later ones") {
  const Sandbox web = a_sandbox(a_pod("web"));
  std::vector<TaskPlace> tasks = {{.pid = 9, .netns_inum = 101, .netns_cookie = 6, .cgroup_id = 2},
                                  {.pid = 8, .netns_inum = 100, .netns_cookie = 5, .cgroup_id = 2}};
  const Sandbox by_container = completed(web, tasks, kCgroups);
  CHECK(by_container.netns_inum == 100);
  CHECK(by_container.netns_cookie == 5);
  tasks.push_back({.pid = 70, .netns_inum = 300, .netns_cookie = 8, .cgroup_id = 3});
  CHECK(completed(web, tasks, kCgroups).netns_inum == 300);
}

TEST_CASE("where the path does not say the pod, the container's id does") {
  Sandbox web = a_sandbox(a_pod("web"));
  web.container_ids = {"container"};
  const std::vector<PodCgroup> cgroups = {{.cgroup_id = 2, .container_id = "container"}};
  CHECK(completed(web, {{.pid = 8, .netns_inum = 100, .cgroup_id = 2}}, cgroups).netns_inum == 100);
  CHECK(completed(web, {{.pid = 8, .netns_inum = 100, .cgroup_id = 2}}, {{.cgroup_id = 2, .container_id = "x"}})
            .netns_inum == 0);
}
