// On the machine's own kernel, in namespaces that the tests make.
#include "pods/link_monitor.h"

#include <poll.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <string>

#include "support/test_netns.h"

using namespace skbtrail;
using namespace skbtrail::test;

namespace {

// A test that needs a namespace of its own; says what it lacked where that is forbidden.
template <class Body>
void with_monitor(Body&& body) {
  const bool ran = in_private_netns([&] {
    auto monitor = LinkMonitor::open();
    REQUIRE(monitor);
    body(**monitor);
  });
  if (!ran)
    WARN("skipped: lacked CAP_SYS_ADMIN or ip(8)");
}

Result<> cover(LinkMonitor& monitor, const TestNetns& netns) {
  const UniqueFd file = netns.open();
  const NetnsFd one{.inum = netns.inum(), .fd = file.get()};
  return monitor.cover({&one, 1});
}

std::optional<Interface> find(const LinkMonitor& monitor, std::uint32_t inum, const std::string& name) {
  for (const auto& one : monitor.interfaces())
    if (one.netns_inum == inum && one.name == name)
      return one;
  return std::nullopt;
}

// Waits, with a deadline, until the kernel has told what makes `condition` true.
template <class Condition>
bool hears(LinkMonitor& monitor, Condition&& condition) {
  for (int times = 0; times < 200; ++times) {
    if (condition())
      return true;
    pollfd wait{.fd = monitor.fd(), .events = POLLIN, .revents = 0};
    if (::poll(&wait, 1, 5000) != 1 || !monitor.update())
      continue;
  }
  return false;
}

std::size_t open_files() {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}));
}

}  // namespace

TEST_CASE("both ends of a veth name each other's namespace") {
  with_monitor([](LinkMonitor& monitor) {
    const TestNetns pod;
    REQUIRE(shell("ip link add host0 type veth peer name eth0 netns " + pod.name()));
    REQUIRE(cover(monitor, pod));
    REQUIRE(hears(monitor, [&] { return find(monitor, monitor.own_inum(), "host0").has_value(); }));
    const auto host = find(monitor, monitor.own_inum(), "host0");
    const auto inside = find(monitor, pod.inum(), "eth0");
    REQUIRE(inside);
    CHECK(host->kind == "veth");
    CHECK(host->link_netns_inum == pod.inum());
    CHECK(host->link_ifindex == inside->ifindex);
    CHECK(inside->link_netns_inum == monitor.own_inum());
    CHECK(inside->link_ifindex == host->ifindex);
    CHECK(find(monitor, pod.inum(), "lo")->link_ifindex == 0);
  });
}

TEST_CASE("a veth between two pods names them both, although the host has no end of it") {
  with_monitor([](LinkMonitor& monitor) {
    const TestNetns one;
    const TestNetns other;
    REQUIRE(one.ip("link add eth0 type veth peer name eth0 netns " + other.name()));
    const UniqueFd files[] = {one.open(), other.open()};
    const NetnsFd both[] = {{one.inum(), files[0].get()}, {other.inum(), files[1].get()}};
    REQUIRE(monitor.cover(both));
    CHECK(find(monitor, one.inum(), "eth0")->link_netns_inum == other.inum());
    CHECK(find(monitor, other.inum(), "eth0")->link_netns_inum == one.inum());
  });
}

TEST_CASE("what happens in a pod later is heard of: interfaces that come, get another name, and go") {
  with_monitor([](LinkMonitor& monitor) {
    const TestNetns pod;
    REQUIRE(cover(monitor, pod));
    (void)monitor.update();
    CHECK(monitor.hears_all());
    CHECK_FALSE(find(monitor, pod.inum(), "net1"));
    REQUIRE(pod.ip("link add net1 type bridge"));
    REQUIRE(hears(monitor, [&] { return find(monitor, pod.inum(), "net1").has_value(); }));
    CHECK(find(monitor, pod.inum(), "net1")->kind == "bridge");
    REQUIRE(pod.ip("link set net1 name net2"));
    REQUIRE(hears(monitor, [&] { return find(monitor, pod.inum(), "net2").has_value(); }));
    CHECK_FALSE(find(monitor, pod.inum(), "net1"));
    REQUIRE(pod.ip("link delete net2"));
    REQUIRE(hears(monitor, [&] { return !find(monitor, pod.inum(), "net2"); }));
  });
}

TEST_CASE("macvlan and ipvlan of a pod name the host's interface that they ride on") {
  with_monitor([](LinkMonitor& monitor) {
    for (const std::string kind : {"macvlan", "ipvlan"}) {
      const TestNetns pod;
      REQUIRE(shell("ip link add parent0 type veth peer name parent1"));
      if (!shell("ip link add link parent0 name eth0 netns " + pod.name() + " type " + kind)) {
        WARN("skipped: lacked " << kind << " in this kernel");
      } else {
        REQUIRE(cover(monitor, pod));
        REQUIRE(hears(monitor, [&] { return find(monitor, monitor.own_inum(), "parent0").has_value(); }));
        const auto inside = find(monitor, pod.inum(), "eth0");
        REQUIRE(inside);
        CHECK(inside->kind == kind);
        CHECK(inside->link_ifindex == find(monitor, monitor.own_inum(), "parent0")->ifindex);
        CHECK(inside->link_netns_inum == monitor.own_inum());
      }
      REQUIRE(shell("ip link delete parent0"));
      REQUIRE(hears(monitor, [&] { return !find(monitor, monitor.own_inum(), "parent0"); }));
    }
  });
}

TEST_CASE("a device that is moved into a pod, as a virtual function is, and back, is known where it is") {
  with_monitor([](LinkMonitor& monitor) {
    const TestNetns pod;
    REQUIRE(cover(monitor, pod));
    REQUIRE(shell("ip link add vf0 type veth peer name vf1"));
    REQUIRE(hears(monitor, [&] { return find(monitor, monitor.own_inum(), "vf0").has_value(); }));
    REQUIRE(shell("ip link set vf0 netns " + pod.name()));
    REQUIRE(hears(monitor, [&] {
      return find(monitor, pod.inum(), "vf0").has_value() && !find(monitor, monitor.own_inum(), "vf0");
    }));
    REQUIRE(pod.ip("link delete vf0"));
    REQUIRE(hears(monitor, [&] { return !find(monitor, pod.inum(), "vf0"); }));
  });
}

TEST_CASE("a namespace is not kept alive, and nothing is left of it when it goes") {
  with_monitor([](LinkMonitor& monitor) {
    const std::size_t before = open_files();
    for (int times = 0; times < 20; ++times) {
      TestNetns pod;
      const std::uint32_t inum = pod.inum();
      REQUIRE(cover(monitor, pod));
      REQUIRE(find(monitor, inum, "lo"));
      pod.remove();
      REQUIRE(hears(monitor, [&] { return !find(monitor, inum, "lo"); }));
    }
    CHECK(open_files() == before);
  });
}

TEST_CASE("a namespace that is no longer covered is forgotten, and found again") {
  with_monitor([](LinkMonitor& monitor) {
    const TestNetns pod;
    REQUIRE(cover(monitor, pod));
    REQUIRE(find(monitor, pod.inum(), "lo"));
    REQUIRE(monitor.cover({}));
    CHECK_FALSE(find(monitor, pod.inum(), "lo"));
    CHECK(find(monitor, monitor.own_inum(), "lo"));
    CHECK(monitor.update());
    REQUIRE(cover(monitor, pod));
    CHECK(find(monitor, pod.inum(), "lo"));
  });
}

TEST_CASE("when more changes than the socket holds, everything is listed again") {
  with_monitor([](LinkMonitor& monitor) {
    const TestNetns pod;
    REQUIRE(cover(monitor, pod));
    REQUIRE(
        shell("set -e; f=$(mktemp); for i in $(seq 4000); do echo link set lo mtu $((60000 + i)); done >$f; "
              "ip -n " +
              pod.name() + " -batch $f; rm $f"));
    REQUIRE(pod.ip("link add late type bridge"));
    CHECK(monitor.update());
    CHECK(monitor.counts().overruns == 1);
    CHECK(find(monitor, pod.inum(), "late"));
  });
}

TEST_CASE("a file that is no namespace is refused by the kernel, with words") {
  with_monitor([](LinkMonitor& monitor) {
    const NetnsFd nonsense{.inum = 1, .fd = 0};
    const auto covered = monitor.cover({&nonsense, 1});
    REQUIRE_FALSE(covered);
    CHECK(covered.error().message.starts_with("ask for the number of a network namespace: answer of rtnetlink: "));
  });
}
