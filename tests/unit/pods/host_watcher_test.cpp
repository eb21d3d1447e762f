// On the machine's own kernel, in namespaces that the tests make.
#include "pods/host_watcher.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <condition_variable>

#include "support/test_netns.h"

using namespace skbtrail;
using namespace skbtrail::test;

namespace {

// What a watcher told last, and waiting for more.
class Told {
public:
  void take(const HostFacts& facts) {
    const std::lock_guard lock{mutex_};
    facts_ = facts;
    told_.notify_all();
  }
  template <class Condition>
  bool becomes(Condition&& condition) {
    std::unique_lock lock{mutex_};
    return told_.wait_for(lock, std::chrono::seconds(10), [&] { return condition(facts_); });
  }

private:
  std::mutex mutex_;
  std::condition_variable told_;
  HostFacts facts_;
};

bool has(const HostFacts& facts, std::uint32_t inum, const std::string& name) {
  return std::ranges::any_of(facts.interfaces,
                             [&](const Interface& one) { return one.netns_inum == inum && one.name == name; });
}

CoveredNetns covered(const TestNetns& netns) {
  return {.inum = netns.inum(), .file = std::make_shared<const UniqueFd>(netns.open())};
}

}  // namespace

TEST_CASE("a watcher without cgroup2 says so, and goes on with the interfaces") {
  Told told;
  const auto watcher = HostWatcher::start({}, [&](const HostFacts& facts) { told.take(facts); });
  CHECK(std::ranges::find(watcher->lacks(), "cgroups: cgroup2 is not mounted") != watcher->lacks().end());
  CHECK(told.becomes([&](const HostFacts& facts) { return has(facts, watcher->host_netns_inum(), "lo"); }));
}

TEST_CASE("a watcher ends at once, also when nothing happens") {
  const auto start = std::chrono::steady_clock::now();
  {
    const auto watcher = HostWatcher::start({}, [](const HostFacts&) {});
  }
  CHECK(std::chrono::steady_clock::now() - start < HostWatcher::kReadAgain);
}

TEST_CASE("what happens in the host and in the covered namespaces is told, of others nothing") {
  const bool ran = in_private_netns([] {
    Told told;
    const auto watcher = HostWatcher::start({}, [&](const HostFacts& facts) { told.take(facts); });
    const TestNetns pod;
    const TestNetns other;
    REQUIRE(other.ip("link add eth9 type bridge"));
    watcher->cover({covered(pod)});
    REQUIRE(told.becomes([&](const HostFacts& facts) { return has(facts, pod.inum(), "lo"); }));
    REQUIRE(shell("ip link add host0 type veth peer name eth0 netns " + pod.name()));
    REQUIRE(told.becomes([&](const HostFacts& facts) {
      return has(facts, pod.inum(), "eth0") && has(facts, watcher->host_netns_inum(), "host0");
    }));
    CHECK(told.becomes([&](const HostFacts& facts) { return !has(facts, other.inum(), "eth9"); }));
    watcher->cover({});
    CHECK(told.becomes([&](const HostFacts& facts) { return !has(facts, pod.inum(), "eth0"); }));
  });
  if (!ran)
    WARN("skipped: lacked CAP_SYS_ADMIN or ip(8)");
}
