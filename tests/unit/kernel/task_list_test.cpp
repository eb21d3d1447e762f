// On the machine's own kernel.
#include "kernel/task_list.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <optional>

#include "support/test_netns.h"

using namespace skbtrail;
using namespace skbtrail::test;

namespace {

std::optional<TaskPlace> find(const std::vector<TaskPlace>& tasks, std::uint32_t netns_inum) {
  const auto found = std::ranges::find(tasks, netns_inum, &TaskPlace::netns_inum);
  return found == tasks.end() ? std::nullopt : std::optional(*found);
}

std::uint32_t own_netns() {
  struct stat info {};
  REQUIRE(::stat("/proc/self/ns/net", &info) == 0);
  return static_cast<std::uint32_t>(info.st_ino);
}

}  // namespace

TEST_CASE("the kernel's list of processes has this one, with its namespace, and one in another namespace with that") {
  auto list = TaskList::open();
  if (!list && (list.error().code == EPERM || list.error().code == ENOTSUP)) {
    WARN("skipped: lacked " << list.error().message);
    return;
  }
  REQUIRE(list);
  const auto before = list->read();
  REQUIRE(before);
  CHECK(before->size() < TaskList::kMaxTasks);
  CHECK(find(*before, own_netns()));

  const TestNetns pod;
  if (pod.inum() == 0) {
    WARN("skipped: lacked ip(8) or CAP_SYS_ADMIN");
    return;
  }
  CHECK_FALSE(find(*before, pod.inum()));
  REQUIRE(shell("ip netns exec " + pod.name() +
                " sleep 60 & for i in $(seq 100); do "
                "[ -n \"$(ip netns pids " +
                pod.name() + ")\" ] && exit 0; sleep 0.1; done; exit 1"));
  const auto during = list->read();
  REQUIRE(during);
  const auto sleeper = find(*during, pod.inum());
  REQUIRE(sleeper);
  CHECK(sleeper->pid != 0);
  CHECK(sleeper->cgroup_id != 0);
  REQUIRE(shell("kill $(ip netns pids " + pod.name() + ")"));
}
