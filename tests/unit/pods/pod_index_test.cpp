#include "pods/pod_index.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <vector>

#include "unit/pods/test_pods.h"

using namespace skbtrail;

namespace {

constexpr std::uint32_t kNetns = 4026532100;
constexpr std::uint32_t kOtherNetns = 4026532200;
constexpr std::uint32_t kStrangeNetns = 4026532300;

using TimePoint = std::chrono::steady_clock::time_point;

std::shared_ptr<const PodIndex> index_of(const std::vector<Sandbox>& sandboxes,
                                         const std::vector<Interface>& interfaces = {},
                                         const std::vector<PodCgroup>& cgroups = {}) {
  return build_pod_index(kHostNetns, sandboxes, interfaces, cgroups);
}

Interface a_veth_in(std::uint32_t netns, std::uint32_t ifindex) {
  return {.netns_inum = netns, .ifindex = ifindex, .name = "eth0", .kind = "veth"};
}

// Its name where a pod is known, "" where none is.
std::string name_at(const PodFound& found) {
  return found.at.pod ? found.at.pod->name : "";
}

Sandbox deleted(Sandbox sandbox, int at = 1) {
  sandbox.gone_since = TimePoint{std::chrono::seconds{at}};
  sandbox.ready = false;
  return sandbox;
}

Sandbox with_address(Sandbox sandbox, const char* address) {
  sandbox.addresses.push_back(an_address(address));
  return sandbox;
}

}  // namespace

TEST_CASE("an empty index knows the host and nothing else") {
  const auto index = index_of({});
  CHECK(index->find({.netns_inum = kHostNetns}).answer == PodAnswer::Host);
  CHECK(index->find({.netns_inum = kNetns}).answer == PodAnswer::Unknown);
  CHECK(index->find({}).answer == PodAnswer::Unknown);
  CHECK(index->by_address(an_address("10.0.0.1")) == nullptr);
  CHECK(index->pods().empty());
}

TEST_CASE("an index that does not know the host's namespace takes no unknown one for it") {
  const auto index = build_pod_index(0, {}, {}, {});
  CHECK(index->find({}).answer == PodAnswer::Unknown);
}

TEST_CASE("a sandbox without a pod is left out") {
  const auto index = index_of({Sandbox{.netns_inum = kNetns}});
  CHECK(index->find({.netns_inum = kNetns}).answer == PodAnswer::Unknown);
}

TEST_CASE("a packet in a pod's namespace is inside that pod") {
  const auto index = index_of({a_sandbox(a_pod("web"), kNetns), a_sandbox(a_pod("db"), kOtherNetns)});
  const auto found = index->find({.netns_inum = kNetns, .ifindex = 2});
  CHECK(found.answer == PodAnswer::Pod);
  CHECK(name_at(found) == "web");
  CHECK(found.at.side == PodSide::Inside);
  CHECK(name_at(index->find({.netns_inum = kOtherNetns})) == "db");
}

TEST_CASE("a cookie names the namespace where the inode alone would lie") {
  auto sandbox = a_sandbox(a_pod("web"), kNetns);
  sandbox.netns_cookie = 7;
  const auto index = index_of({sandbox});
  CHECK(index->find({.netns_inum = kNetns, .netns_cookie = 8}).answer == PodAnswer::Unknown);
  CHECK(name_at(index->find({.netns_inum = kNetns, .netns_cookie = 7})) == "web");
  CHECK(name_at(index->find({.netns_cookie = 7})) == "web");
  CHECK(name_at(index->find({.netns_inum = kNetns})) == "web");
}

TEST_CASE("a namespace whose cookie could not be asked is known by its inode") {
  const auto index = index_of({a_sandbox(a_pod("web"), kNetns)});
  CHECK(name_at(index->find({.netns_inum = kNetns, .netns_cookie = 7})) == "web");
}

TEST_CASE("a namespace that a deleted and a live pod had belongs to the live one") {
  const auto before = GENERATE(false, true);
  const std::vector<Sandbox> both = {deleted(a_sandbox(a_pod("old"), kNetns)), a_sandbox(a_pod("new"), kNetns)};
  const auto index = index_of(before ? both : std::vector<Sandbox>{both[1], both[0]});
  CHECK(name_at(index->find({.netns_inum = kNetns})) == "new");
}

TEST_CASE("the number of a deleted pod's namespace, used again, answers by cookie") {
  auto old = deleted(a_sandbox(a_pod("old"), kNetns));
  auto young = a_sandbox(a_pod("new"), kNetns);
  old.netns_cookie = 7;
  young.netns_cookie = 9;
  const auto index = index_of({old, young});
  CHECK(name_at(index->find({.netns_inum = kNetns, .netns_cookie = 9})) == "new");
  CHECK(index->find({.netns_inum = kNetns, .netns_cookie = 7}).answer == PodAnswer::Unknown);
}

TEST_CASE("a stopped sandbox comes after a ready one and before a deleted one") {
  auto stopped = a_sandbox(a_pod("stopped"), kNetns);
  stopped.ready = false;
  const auto gone = deleted(a_sandbox(a_pod("gone"), kNetns));
  CHECK(name_at(index_of({gone, stopped, a_sandbox(a_pod("ready"), kNetns)})->find({.netns_inum = kNetns})) == "ready");
  CHECK(name_at(index_of({gone, stopped})->find({.netns_inum = kNetns})) == "stopped");
}

TEST_CASE("of two deleted pods the last to go has the namespace") {
  const auto index =
      index_of({deleted(a_sandbox(a_pod("first"), kNetns), 1), deleted(a_sandbox(a_pod("last"), kNetns), 2)});
  CHECK(name_at(index->find({.netns_inum = kNetns})) == "last");
}

TEST_CASE("a namespace that pods share belongs to the oldest, and to another one by its cgroup") {
  auto owner = a_sandbox(a_pod("owner"), kNetns);
  auto guest = a_sandbox(a_pod("guest"), kNetns);
  owner.created_ns = 100;
  guest.created_ns = 200;
  const std::vector<PodCgroup> cgroups = {{.cgroup_id = 5, .pod_uid = "uid-guest"},
                                          {.cgroup_id = 6, .pod_uid = "uid-other"}};
  const auto index = index_of({guest, owner, a_sandbox(a_pod("other"), kOtherNetns)}, {}, cgroups);
  CHECK(name_at(index->find({.netns_inum = kNetns})) == "owner");
  CHECK(name_at(index->find({.netns_inum = kNetns, .cgroup_id = 5})) == "guest");
  CHECK(name_at(index->find({.netns_inum = kNetns, .cgroup_id = 6})) == "owner");
}

TEST_CASE("a pod of the host's network is known by its cgroup only") {
  auto sandbox = with_address(a_sandbox(a_host_pod("proxy"), kHostNetns), "192.168.1.5");
  const auto index = index_of({sandbox}, {}, {{.cgroup_id = 5, .pod_uid = "uid-proxy"}});
  CHECK(index->find({.netns_inum = kHostNetns}).answer == PodAnswer::Host);
  CHECK(index->find({.netns_inum = kHostNetns, .cgroup_id = 6}).answer == PodAnswer::Host);
  const auto found = index->find({.netns_inum = kHostNetns, .cgroup_id = 5});
  CHECK(found.answer == PodAnswer::Pod);
  CHECK(name_at(found) == "proxy");
  CHECK(found.at.side == PodSide::Inside);
  CHECK(index->by_address(an_address("192.168.1.5")) == nullptr);
}

TEST_CASE("no pod gets the host's namespace, whatever the runtime says of it") {
  const auto index = index_of({a_sandbox(a_pod("liar"), kHostNetns)});
  CHECK(index->find({.netns_inum = kHostNetns}).answer == PodAnswer::Host);
}

TEST_CASE("a container's own namespace inside a pod is known by its cgroup") {
  const auto index = index_of({a_sandbox(a_pod("web"), kNetns)}, {}, {{.cgroup_id = 5, .pod_uid = "uid-web"}});
  CHECK(name_at(index->find({.netns_inum = kStrangeNetns, .cgroup_id = 5})) == "web");
}

TEST_CASE("a cgroup belongs to the pod of its container, else to the pod of its uid") {
  auto web = a_sandbox(a_pod("web"), kNetns);
  web.container_ids = {"c1"};
  const auto index = index_of({web, a_sandbox(a_pod("db"), kOtherNetns)}, {},
                              {{.cgroup_id = 1, .container_id = "c1"},
                               {.cgroup_id = 2, .container_id = "sandbox-db"},
                               {.cgroup_id = 3, .pod_uid = "uid-db", .container_id = "not listed yet"},
                               {.cgroup_id = 4, .pod_uid = "uid-nobody"},
                               {.cgroup_id = 5}});
  CHECK(name_at(index->find({.netns_inum = kHostNetns, .cgroup_id = 1})) == "web");
  CHECK(name_at(index->find({.netns_inum = kHostNetns, .cgroup_id = 2})) == "db");
  CHECK(name_at(index->find({.netns_inum = kHostNetns, .cgroup_id = 3})) == "db");
  CHECK(index->find({.netns_inum = kHostNetns, .cgroup_id = 4}).answer == PodAnswer::Host);
  CHECK(index->find({.netns_inum = kHostNetns, .cgroup_id = 5}).answer == PodAnswer::Host);
}

TEST_CASE("the host's end of a pod's veth carries the pod, whichever end told of it") {
  auto interface = a_veth_in(kNetns, 2);
  interface.link_ifindex = 17;
  interface.link_netns_inum = kHostNetns;
  if (GENERATE(false, true))
    interface = {.netns_inum = kHostNetns,
                 .ifindex = 17,
                 .name = "veth1",
                 .kind = "veth",
                 .link_ifindex = 2,
                 .link_netns_inum = kNetns};
  const auto index = index_of({a_sandbox(a_pod("web"), kNetns)}, {interface});
  const auto found = index->find({.netns_inum = kHostNetns, .ifindex = 17});
  CHECK(name_at(found) == "web");
  CHECK(found.at.side == PodSide::Host);
  CHECK(index->find({.netns_inum = kHostNetns, .ifindex = 2}).answer == PodAnswer::Host);
  CHECK(index->find({.netns_inum = kNetns, .ifindex = 2}).at.side == PodSide::Inside);
}

TEST_CASE("a veth whose other end is not known leads nowhere") {
  auto interface = a_veth_in(kNetns, 2);
  interface.link_ifindex = 17;
  const auto index = index_of({a_sandbox(a_pod("web"), kNetns)}, {interface});
  CHECK(index->find({.netns_inum = kHostNetns, .ifindex = 17}).answer == PodAnswer::Host);
}

TEST_CASE("the parent of an ipvlan or macvlan stays the host's") {
  auto interface = a_veth_in(kNetns, 2);
  interface.kind = GENERATE("ipvlan", "macvlan", "vlan", "");
  interface.link_ifindex = 3;
  interface.link_netns_inum = kHostNetns;
  const auto index = index_of({a_sandbox(a_pod("web"), kNetns)}, {interface});
  CHECK(index->find({.netns_inum = kHostNetns, .ifindex = 3}).answer == PodAnswer::Host);
  CHECK(name_at(index->find({.netns_inum = kNetns, .ifindex = 2})) == "web");
}

TEST_CASE("a wire between two pods has no host side") {
  auto interface = a_veth_in(kNetns, 3);
  interface.link_ifindex = 3;
  interface.link_netns_inum = kOtherNetns;
  const auto index = index_of({a_sandbox(a_pod("web"), kNetns), a_sandbox(a_pod("db"), kOtherNetns)}, {interface});
  const auto found = index->find({.netns_inum = kOtherNetns, .ifindex = 3});
  CHECK(name_at(found) == "db");
  CHECK(found.at.side == PodSide::Inside);
}

TEST_CASE("a wire into a namespace of no pod stays the host's") {
  auto interface = a_veth_in(kStrangeNetns, 2);
  interface.link_ifindex = 17;
  interface.link_netns_inum = kHostNetns;
  const auto index = index_of({a_sandbox(a_pod("web"), kNetns)}, {interface});
  CHECK(index->find({.netns_inum = kHostNetns, .ifindex = 17}).answer == PodAnswer::Host);
}

TEST_CASE("an address of several pods is nobody's") {
  const auto index = index_of({with_address(a_sandbox(a_pod("web"), kNetns), "10.0.0.1"),
                               with_address(a_sandbox(a_pod("db"), kOtherNetns), "10.0.0.1")});
  CHECK(index->by_address(an_address("10.0.0.1")) == nullptr);
}

TEST_CASE("an address that a stopped or deleted pod gave back belongs to the pod that has it now") {
  auto old = with_address(a_sandbox(a_pod("old"), kNetns), "10.0.0.1");
  old.ready = false;
  if (GENERATE(false, true))
    old = deleted(old);
  const auto now = with_address(a_sandbox(a_pod("now"), kOtherNetns), "10.0.0.1");
  const auto index = index_of({old, now});
  REQUIRE(index->by_address(an_address("10.0.0.1")));
  CHECK(index->by_address(an_address("10.0.0.1"))->name == "now");
  CHECK(index_of({old})->by_address(an_address("10.0.0.1"))->name == "old");
}

TEST_CASE("addresses of both families are found, and bytes behind an IPv4 address do not matter") {
  auto sandbox = with_address(with_address(a_sandbox(a_pod("web"), kNetns), "10.0.0.1"), "fd00::1");
  const auto index = index_of({sandbox});
  auto padded = an_address("10.0.0.1");
  padded.bytes[7] = 0xff;
  CHECK(index->by_address(padded)->name == "web");
  CHECK(index->by_address(an_address("fd00::1"))->name == "web");
  CHECK(index->by_address(an_address("fd00::2")) == nullptr);
  CHECK(index->by_address(an_address("a00:1::")) == nullptr);
}

TEST_CASE("addresses are listed with their namespaces, but for those that several pods have or that lead to none") {
  const auto web = with_address(with_address(a_sandbox(a_pod("web"), kNetns), "10.0.0.1"), "10.0.0.2");
  const auto db = with_address(a_sandbox(a_pod("db"), kOtherNetns), "10.0.0.2");
  const auto lost = with_address(a_sandbox(a_pod("lost"), 0), "10.0.0.3");
  const auto all = index_of({web, db, lost})->addresses();
  REQUIRE(all.size() == 1);
  CHECK(all[0].address == an_address("10.0.0.1"));
  CHECK(all[0].netns_inum == kNetns);
}

TEST_CASE("a pod whose sandbox was made anew is listed once and is one object") {
  auto first = deleted(with_address(a_sandbox(a_pod("web"), kNetns), "10.0.0.1"));
  auto second = with_address(a_sandbox(a_pod("web"), kOtherNetns), "10.0.0.1");
  second.id = "second";
  const auto index = index_of({first, second, a_sandbox(a_pod("db"))});
  REQUIRE(index->pods().size() == 2);
  CHECK(index->pods()[0]->name == "db");
  CHECK(index->pods()[1].get() == index->find({.netns_inum = kNetns}).at.pod);
  CHECK(index->find({.netns_inum = kNetns}).at == index->find({.netns_inum = kOtherNetns}).at);
  CHECK(index->by_address(an_address("10.0.0.1")) == index->pods()[1].get());
}

TEST_CASE("the places of a pod are its namespace, the node's end of its link, and for one of the host its cgroups") {
  const Sandbox sandboxes[] = {a_sandbox(a_pod("web-0"), 100), a_sandbox(a_pod("db-0"), 200),
                               a_sandbox(a_host_pod("proxy"), kHostNetns)};
  const Interface interfaces[] = {
      {.netns_inum = kHostNetns,
       .ifindex = 7,
       .name = "veth7",
       .kind = "veth",
       .link_ifindex = 2,
       .link_netns_inum = 100},
      {.netns_inum = kHostNetns,
       .ifindex = 8,
       .name = "veth8",
       .kind = "veth",
       .link_ifindex = 2,
       .link_netns_inum = 200},
  };
  const PodCgroup cgroups[] = {{.cgroup_id = 41, .pod_uid = "uid-web-0"}, {.cgroup_id = 42, .pod_uid = "uid-proxy"}};
  const auto index = build_pod_index(kHostNetns, sandboxes, interfaces, cgroups);
  const auto places_of = [&](const std::string& name) {
    return index->places_of([&](const Pod& pod) { return pod.name == name; });
  };
  CHECK(places_of("nobody").empty());
  CHECK(places_of("web-0") == std::set<ScopePlace>{{.kind = ScopeKind::Netns, .id = 100},
                                                   {.kind = ScopeKind::Interface, .id = kHostNetns, .ifindex = 7}});
  CHECK(places_of("proxy") == std::set<ScopePlace>{{.kind = ScopeKind::Cgroup, .id = 42}});
}

TEST_CASE("a namespace that pods share is wanted when one of them is") {
  const Sandbox sandboxes[] = {a_sandbox(a_pod("one"), 100), a_sandbox(a_pod("two"), 100)};
  const auto index = build_pod_index(kHostNetns, sandboxes, {}, {});
  for (const std::string name : {"one", "two"})
    CHECK(index->places_of([&](const Pod& pod) { return pod.name == name; }) ==
          std::set<ScopePlace>{{.kind = ScopeKind::Netns, .id = 100}});
}

TEST_CASE("a pod with two interfaces is at the node's end of each") {
  const Sandbox web = a_sandbox(a_pod("web"), 100);
  const std::vector<Interface> interfaces = {{.netns_inum = 100,
                                              .ifindex = 2,
                                              .name = "eth0",
                                              .kind = "veth",
                                              .link_ifindex = 7,
                                              .link_netns_inum = kHostNetns},
                                             {.netns_inum = 100,
                                              .ifindex = 3,
                                              .name = "net1",
                                              .kind = "veth",
                                              .link_ifindex = 9,
                                              .link_netns_inum = kHostNetns}};
  const auto index = build_pod_index(kHostNetns, {&web, 1}, interfaces, {});
  for (const std::uint32_t ifindex : {7U, 9U}) {
    const auto found = index->find({.netns_inum = kHostNetns, .ifindex = ifindex});
    CHECK(found.at.pod == index->pods()[0].get());
    CHECK(found.at.side == PodSide::Host);
  }
}

TEST_CASE("where a wire of the node leads is settled once the kernel has said, for other interfaces at once") {
  const std::vector<Interface> interfaces = {
      {.netns_inum = kHostNetns, .ifindex = 2, .name = "eno1"},
      {.netns_inum = kHostNetns, .ifindex = 3, .name = "mv", .kind = "macvlan", .link_ifindex = 2},
      {.netns_inum = kHostNetns, .ifindex = 7, .name = "a", .kind = "veth", .link_ifindex = 2},
      {.netns_inum = kHostNetns, .ifindex = 8, .name = "b", .kind = "veth", .link_ifindex = 2, .link_netns_inum = 100}};
  const auto index = build_pod_index(kHostNetns, {}, interfaces, {});
  for (const std::uint32_t ifindex : {0U, 2U, 3U, 8U})
    CHECK(index->is_settled({.netns_inum = kHostNetns, .ifindex = ifindex}));
  CHECK_FALSE(index->is_settled({.netns_inum = kHostNetns, .ifindex = 7}));
  CHECK_FALSE(index->is_settled({.netns_inum = kHostNetns, .ifindex = 99}));
  CHECK(index->is_settled({.netns_inum = 5, .ifindex = 7}));
  CHECK(build_pod_index(kHostNetns, {}, {}, {})->is_settled({.netns_inum = kHostNetns, .ifindex = 7}));
}

TEST_CASE("a pod is awaited in its namespace, and behind links of the node that lead to nobody yet") {
  const Sandbox web = a_sandbox(a_pod("web"), 100);
  const std::vector<Interface> interfaces = {{.netns_inum = kHostNetns, .ifindex = 2, .name = "eno1"},
                                             {.netns_inum = kHostNetns, .ifindex = 7, .name = "a", .kind = "veth"}};
  const std::vector<std::uint32_t> both = {100, 200};
  const auto index = build_pod_index(kHostNetns, {&web, 1}, interfaces, {}, both);
  CHECK(index->is_awaited({.netns_inum = 200}));
  CHECK_FALSE(index->is_awaited({.netns_inum = 100}));
  CHECK(index->is_awaited({.netns_inum = kHostNetns, .ifindex = 7}));
  CHECK_FALSE(index->is_awaited({.netns_inum = kHostNetns, .ifindex = 2}));
  SECTION("of a known pod until its interfaces are listed") {
    auto listed = interfaces;
    CHECK(build_pod_index(kHostNetns, {&web, 1}, listed, {}, {both.data(), 1})
              ->is_awaited({.netns_inum = kHostNetns, .ifindex = 7}));
    listed.push_back({.netns_inum = 100, .ifindex = 1, .name = "lo"});
    CHECK_FALSE(build_pod_index(kHostNetns, {&web, 1}, listed, {}, {both.data(), 1})
                    ->is_awaited({.netns_inum = kHostNetns, .ifindex = 7}));
  }
}
