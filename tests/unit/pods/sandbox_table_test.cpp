#include "pods/sandbox_table.h"

#include <catch2/catch.hpp>

#include "unit/pods/fake_runtime.h"
#include "unit/pods/test_pods.h"

using namespace skbtrail;
using namespace std::chrono_literals;

namespace {

// Namespaces by path and pid, as a test wants them; each open one is counted.
struct FakeNamespaces {
  std::map<std::string, std::uint32_t> by_path = {};
  std::map<pid_t, std::uint32_t> by_pid = {};
  std::uint64_t cookie = 0;

  static Result<NetnsFile> found(std::uint32_t inum) {
    return NetnsFile{.fd = std::make_shared<const UniqueFd>(), .inum = inum};
  }
  NetnsOpeners openers() {
    return {.by_path = [this](const std::string& path) -> Result<NetnsFile> {
              const auto one = by_path.find(path);
              return one == by_path.end() ? fail(ENOENT, "open '" + path + "'") : found(one->second);
            },
            .by_pid = [this](pid_t pid) -> Result<NetnsFile> {
              const auto one = by_pid.find(pid);
              return one == by_pid.end() ? fail(ESRCH, "open pid") : found(one->second);
            },
            .cookie = [this](const NetnsFile&) { return cookie; }};
  }
};

struct Lab {
  FakeNamespaces namespaces;
  FakeRuntime runtime;
  SandboxTable table{namespaces.openers()};
  SteadyTime now{1h};

  Result<> refresh() { return table.refresh(runtime, now); }
  Sandbox only() {
    REQUIRE(refresh());
    REQUIRE(table.sandboxes().size() == 1);
    return table.sandboxes()[0];
  }
};

SandboxStatus status_at(const std::string& path, pid_t pid = 0) {
  return {.addresses = {an_address("10.0.0.1")}, .place = {.netns_path = path, .pid = pid}};
}

}  // namespace

TEST_CASE("a runtime that does not answer changes nothing") {
  Lab lab;
  lab.runtime.add("web", status_at("/netns/web"));
  lab.namespaces.by_path["/netns/web"] = 7;
  REQUIRE(lab.refresh());
  CHECK(lab.table.take_changed());
  lab.runtime.change([](auto& content) { content.error = ECONNREFUSED; });
  CHECK_FALSE(lab.refresh());
  CHECK_FALSE(lab.table.take_changed());
  CHECK(lab.table.sandboxes()[0].netns_inum == 7);
  CHECK_FALSE(lab.table.sandboxes()[0].gone_since);
}

TEST_CASE("the path of the namespace comes before the process in it") {
  Lab lab;
  lab.runtime.add("web", status_at("/netns/web", 12));
  lab.namespaces.by_path["/netns/web"] = 7;
  lab.namespaces.by_pid[12] = 8;
  lab.namespaces.cookie = 99;
  const auto sandbox = lab.only();
  CHECK(sandbox.netns_inum == 7);
  CHECK(sandbox.netns_cookie == 99);
  CHECK(sandbox.netns);
  CHECK(sandbox.addresses == std::vector{an_address("10.0.0.1")});
  CHECK(sandbox.pod->name == "web");
}

TEST_CASE("a path that cannot be opened leads to the sandbox's process") {
  Lab lab;
  lab.runtime.add("web", status_at("/netns/vanished", 12));
  lab.namespaces.by_pid[12] = 8;
  CHECK(lab.only().netns_inum == 8);
}

TEST_CASE("without a path or a process of the sandbox a running container tells") {
  Lab lab;
  lab.runtime.add("web", status_at(""));
  lab.namespaces.by_pid[30] = 9;
  CHECK(lab.only().netns_inum == 0);
  CHECK(lab.table.faults().without_netns == 1);
  lab.runtime.change([](auto& content) {
    content.containers = {{.id = "init", .sandbox_id = "web"}, {.id = "app", .sandbox_id = "web", .running = true}};
    content.places["app"] = {.pid = 30};
  });
  const auto sandbox = lab.only();
  CHECK(sandbox.netns_inum == 9);
  CHECK(sandbox.container_ids == std::vector<std::string>{"app", "init"});
}

TEST_CASE("a process that ended while its namespace was opened is not believed") {
  Lab lab;
  lab.runtime.add("web", status_at("", 12));
  auto openers = lab.namespaces.openers();
  lab.namespaces.by_pid[12] = 8;
  openers.by_pid = [&, ask = openers.by_pid](pid_t pid) {
    lab.runtime.change([](auto& content) { content.statuses["web"].place.pid = 0; });
    return ask(pid);
  };
  SandboxTable table{openers};
  REQUIRE(table.refresh(lab.runtime, lab.now));
  CHECK(table.sandboxes()[0].netns_inum == 0);
}

TEST_CASE("a namespace that is not there yet is looked for again, but not for ever") {
  Lab lab;
  lab.runtime.add("web", status_at("/netns/web"));
  for (int i = 0; i < 50; ++i)
    REQUIRE(lab.refresh());
  const int calls = lab.runtime.calls("status");
  CHECK(calls < 30);
  lab.namespaces.by_path["/netns/web"] = 7;
  CHECK(lab.only().netns_inum == 0);
  lab.runtime.change([](auto& content) { content.containers = {{.id = "app", .sandbox_id = "web"}}; });
  CHECK(lab.only().netns_inum == 7);
}

TEST_CASE("what is known is not asked for again") {
  Lab lab;
  lab.runtime.add("web", status_at("/netns/web"));
  lab.namespaces.by_path["/netns/web"] = 7;
  for (int i = 0; i < 5; ++i)
    REQUIRE(lab.refresh());
  CHECK(lab.runtime.calls("status") == 1);
}

TEST_CASE("a pod of the host's network has no namespace of its own and no addresses") {
  Lab lab;
  auto status = status_at("/proc/1/ns/net", 1);
  status.host_network = true;
  lab.runtime.add("proxy", status);
  const auto sandbox = lab.only();
  CHECK(sandbox.pod->host_network);
  CHECK(sandbox.netns_inum == 0);
  CHECK(sandbox.addresses.empty());
}

TEST_CASE("the labels are those of the pod, without what the kubelet adds for itself") {
  Lab lab;
  lab.runtime.add("web", status_at(""));
  lab.runtime.change([](auto& content) {
    content.sandboxes[0].labels = {{"app", "web"}, {"io.kubernetes.pod.name", "web"}, {"io.kubernetes.pod.uid", "1"}};
  });
  CHECK(lab.only().pod->labels == std::map<std::string, std::string>{{"app", "web"}});
}

TEST_CASE("a deleted sandbox keeps its namespace and name for a minute") {
  Lab lab;
  lab.runtime.add("web", status_at("/netns/web"));
  lab.namespaces.by_path["/netns/web"] = 7;
  REQUIRE(lab.refresh());
  lab.runtime.remove("web");
  lab.now += 10s;
  const auto gone = lab.only();
  CHECK(gone.gone_since == lab.now);
  CHECK(gone.netns_inum == 7);
  CHECK(gone.netns);
  CHECK_FALSE(lab.table.expire(lab.now + 59s));
  CHECK(lab.table.expire(lab.now + 60s));
  CHECK(lab.table.sandboxes().empty());
}

TEST_CASE("a sandbox that was missing in one list was never deleted") {
  Lab lab;
  lab.runtime.add("web", status_at("/netns/web"));
  REQUIRE(lab.refresh());
  lab.runtime.remove("web");
  REQUIRE(lab.refresh());
  lab.runtime.add("web", status_at("/netns/web"));
  CHECK_FALSE(lab.only().gone_since);
}

TEST_CASE("a stopped sandbox gives its namespace back after a minute and stays listed") {
  Lab lab;
  lab.runtime.add("job", status_at("/netns/job"));
  lab.namespaces.by_path["/netns/job"] = 7;
  REQUIRE(lab.refresh());
  lab.runtime.change([](auto& content) { content.sandboxes[0].ready = false; });
  const auto stopped = lab.only();
  CHECK_FALSE(stopped.ready);
  CHECK(stopped.netns_inum == 7);
  CHECK(lab.table.expire(lab.now + 60s));
  lab.now += 61s;
  const auto later = lab.only();
  CHECK(later.netns_inum == 0);
  CHECK_FALSE(later.netns);
}

TEST_CASE("one sandbox whose answer makes no sense does not keep the others from being known") {
  Lab lab;
  lab.runtime.add("bad", status_at(""));
  lab.runtime.add("web", status_at("/netns/web"));
  lab.namespaces.by_path["/netns/web"] = 7;
  const int code = GENERATE(EBADMSG, EIO, ENOENT, ETIMEDOUT);
  lab.runtime.change([&](auto& content) { content.broken.emplace("bad", refuse(code, "odd")); });
  REQUIRE(lab.refresh());
  CHECK(lab.table.sandboxes()[1].netns_inum == 7);
  CHECK(lab.table.faults().malformed == (code == ENOENT ? 0 : 1));
}

TEST_CASE("several sandboxes that do not answer in time are the runtime itself") {
  Lab lab;
  for (const char* id : {"a", "b", "c"}) {
    lab.runtime.add(id, status_at(""));
    lab.runtime.change([&](auto& content) { content.broken.emplace(id, refuse(ETIMEDOUT, "slow")); });
  }
  CHECK_FALSE(lab.refresh());
  CHECK(lab.runtime.calls("status") == 2);
}

TEST_CASE("more sandboxes than the bound are left out and counted") {
  Lab lab;
  lab.runtime.change([](auto& content) {
    for (std::size_t i = 0; i < SandboxTable::kMaxSandboxes + 5; ++i)
      content.sandboxes.push_back({.id = std::to_string(i), .ready = false});
  });
  REQUIRE(lab.refresh());
  CHECK(lab.table.sandboxes().size() == SandboxTable::kMaxSandboxes);
  CHECK(lab.table.faults().beyond_bound == 5);
}
