#include "pods/pod_directory.h"

#include <stdlib.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "unit/pods/fake_runtime.h"
#include "unit/pods/test_pods.h"

using namespace skbtrail;
using namespace std::chrono_literals;

namespace {

constexpr auto kLong = 20s;  // only a hang reaches it

// A runtime that outlives the directory's own handle of it.
class Borrowed final : public ContainerRuntime {
public:
  explicit Borrowed(FakeRuntime& runtime) : runtime_(runtime) {}
  const std::string& socket() const override { return runtime_.socket(); }
  Result<RuntimeVersion> version() override { return runtime_.version(); }
  Result<std::vector<ListedSandbox>> list_sandboxes() override { return runtime_.list_sandboxes(); }
  Result<SandboxStatus> sandbox_status(const std::string& id) override { return runtime_.sandbox_status(id); }
  Result<std::vector<ListedContainer>> list_containers() override { return runtime_.list_containers(); }
  Result<RuntimePlace> container_place(const std::string& id) override { return runtime_.container_place(id); }
  Result<> follow_events(const std::function<void()>& on_event) override { return runtime_.follow_events(on_event); }
  void cancel() override { runtime_.cancel(); }

private:
  FakeRuntime& runtime_;
};

DirectoryOptions options_for(FakeRuntime& runtime) {
  return {.find_runtime = [&runtime]() -> Result<std::unique_ptr<ContainerRuntime>> {
            return std::unique_ptr<ContainerRuntime>{std::make_unique<Borrowed>(runtime)};
          },
          .openers = {.by_path = [](const std::string& path) -> Result<NetnsFile> {
                        return NetnsFile{.fd = std::make_shared<const UniqueFd>(),
                                         .inum = static_cast<std::uint32_t>(std::stoul(path.substr(1)))};
                      },
                      .by_pid = [](pid_t) -> Result<NetnsFile> { return fail(ESRCH, "no pid"); },
                      .cookie = [](const NetnsFile&) { return std::uint64_t{0}; }},
          .host_netns_inum = kHostNetns,
          .with_events = 60s,
          .without_events = 60s,
          .eager = 5ms,
          .first_pause = 5ms,
          .last_pause = 20ms};
}

SandboxStatus status_in(std::uint32_t inum) {
  return {.addresses = {an_address("10.0.0.1")}, .place = {.netns_path = "/" + std::to_string(inum)}};
}

// Waits until `holds` does; each publication asks again.
template <class Holds>
bool comes_true(const PodDirectory& directory, Holds holds) {
  const auto end = std::chrono::steady_clock::now() + kLong;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end)
      return false;
    directory.wait_for_change(directory.version(), 5ms);
  }
  return true;
}

}  // namespace

TEST_CASE("the directory says that there is no runtime, and finds it once there is one") {
  FakeRuntime runtime;
  runtime.add("web", status_in(7));
  std::atomic<bool> there{false};
  auto options = options_for(runtime);
  options.find_runtime = [&, find = options.find_runtime]() -> Result<std::unique_ptr<ContainerRuntime>> {
    if (!there)
      return refuse(ENOTSUP, "no container runtime");
    return find();
  };
  const auto directory = PodDirectory::start(options);
  REQUIRE(directory);
  const auto first = (*directory)->wait_for_first_answer(kLong);
  REQUIRE_FALSE(first);
  CHECK(first.error().message == "no container runtime");
  CHECK((*directory)->state().stale_since);
  there = true;
  CHECK(comes_true(**directory, [&] { return (*directory)->state().fresh_at.has_value(); }));
  CHECK((*directory)->snapshot()->find({.netns_inum = 7}).answer == PodAnswer::Pod);
  CHECK((*directory)->state().socket == "/run/fake.sock");
  CHECK((*directory)->state().runtime.version == "v2.4.2");
}

TEST_CASE("a runtime that stops answering leaves a stale index, and a fresh one when it is back") {
  FakeRuntime runtime;
  runtime.add("web", status_in(7));
  const auto directory = PodDirectory::start(options_for(runtime));
  REQUIRE(directory);
  REQUIRE((*directory)->wait_for_first_answer(kLong));
  runtime.change([](auto& content) { content.error = ETIMEDOUT; });
  (*directory)->refresh_soon();
  CHECK(comes_true(**directory, [&] { return (*directory)->state().stale_since.has_value(); }));
  CHECK((*directory)->snapshot()->find({.netns_inum = 7}).answer == PodAnswer::Pod);
  runtime.add("db", status_in(8));
  runtime.change([](auto& content) { content.error = 0; });
  CHECK(comes_true(**directory,
                   [&] { return (*directory)->snapshot()->find({.netns_inum = 8}).answer == PodAnswer::Pod; }));
  CHECK(comes_true(**directory, [&] { return !(*directory)->state().stale_since; }));
  CHECK((*directory)->state().ready == 2);
}

TEST_CASE("an event of the runtime brings a new pod into the index without a listing being due") {
  FakeRuntime runtime;
  runtime.change([](auto& content) { content.has_events = true; });
  const auto directory = PodDirectory::start(options_for(runtime));
  REQUIRE(directory);
  REQUIRE((*directory)->wait_for_first_answer(kLong));
  runtime.add("web", status_in(7));
  runtime.send_event();
  CHECK(comes_true(**directory,
                   [&] { return (*directory)->snapshot()->find({.netns_inum = 7}).answer == PodAnswer::Pod; }));
  CHECK((*directory)->state().has_events);
}

TEST_CASE("a new name in the folder of namespaces brings a new pod into the index, also when the folder comes late") {
  std::string root = (std::filesystem::temp_directory_path() / "skbtrail-directory-XXXXXX").string();
  REQUIRE(::mkdtemp(root.data()) != nullptr);
  FakeRuntime runtime;
  auto options = options_for(runtime);
  options.netns_folder = root + "/netns";
  options.without_events = 20ms;
  const auto directory = PodDirectory::start(options);
  REQUIRE(directory);
  REQUIRE((*directory)->wait_for_first_answer(kLong));
  std::filesystem::create_directory(options.netns_folder);
  const auto refreshes = (*directory)->state().refreshes;
  CHECK(comes_true(**directory, [&] { return (*directory)->state().refreshes > refreshes + 1; }));
  CHECK((*directory)->state().hints == 0);
  std::ofstream(options.netns_folder / "pod") << "";
  CHECK(comes_true(**directory, [&] { return (*directory)->state().hints > 0; }));
  std::filesystem::remove_all(root);
}

TEST_CASE("a pod is awaited in a namespace whose name is new, until the runtime tells of it") {
  std::string root = (std::filesystem::temp_directory_path() / "skbtrail-directory-XXXXXX").string();
  REQUIRE(::mkdtemp(root.data()) != nullptr);
  FakeRuntime runtime;
  auto options = options_for(runtime);
  options.netns_folder = root;
  options.without_events = 20ms;
  const auto directory = PodDirectory::start(options);
  REQUIRE(directory);
  REQUIRE((*directory)->wait_for_first_answer(kLong));
  // Of another file system, as a namespace that is mounted there.
  std::filesystem::create_symlink("/proc/self/ns/net", root + "/cni-1");
  struct stat own {};
  REQUIRE(::stat("/proc/self/ns/net", &own) == 0);
  const auto inum = static_cast<std::uint32_t>(own.st_ino);
  CHECK(comes_true(**directory, [&] { return (*directory)->snapshot()->is_awaited({.netns_inum = inum}); }));
  CHECK((*directory)->snapshot()->find({.netns_inum = inum}).answer == PodAnswer::Unknown);
  runtime.add("web", status_in(inum));
  CHECK(comes_true(**directory, [&] { return !(*directory)->snapshot()->is_awaited({.netns_inum = inum}); }));
  CHECK((*directory)->snapshot()->find({.netns_inum = inum}).answer == PodAnswer::Pod);
  std::filesystem::remove_all(root);
}

TEST_CASE("events of a runtime that gives each to one listener only are left to the kubelet") {
  CHECK_FALSE(events_are_for_all({.name = "containerd", .version = "v1.7.27"}));
  CHECK_FALSE(events_are_for_all({.name = "containerd", .version = "1.6.20~ds1"}));
  CHECK_FALSE(events_are_for_all({.name = "containerd", .version = "unknown"}));
  CHECK(events_are_for_all({.name = "containerd", .version = "v2.4.2"}));
  CHECK(events_are_for_all({.name = "containerd", .version = "2.0.0"}));
  CHECK(events_are_for_all({.name = "cri-o", .version = "1.29.1"}));
}

TEST_CASE("interfaces and cgroups are in the index when the call returns") {
  FakeRuntime runtime;
  runtime.add("web", status_in(7));
  const auto directory = PodDirectory::start(options_for(runtime));
  REQUIRE(directory);
  REQUIRE((*directory)->wait_for_first_answer(kLong));
  PodIndexReader reader{**directory};
  CHECK(reader.current().find({.netns_inum = kHostNetns, .ifindex = 5}).answer == PodAnswer::Host);
  (*directory)
      ->set_interfaces({{.netns_inum = kHostNetns,
                         .ifindex = 5,
                         .name = "veth",
                         .kind = "veth",
                         .link_ifindex = 2,
                         .link_netns_inum = 7}});
  CHECK(reader.current().find({.netns_inum = kHostNetns, .ifindex = 5}).at.side == PodSide::Host);
  (*directory)->set_cgroups({{.cgroup_id = 3, .pod_uid = "uid-web"}});
  CHECK(reader.current().find({.netns_inum = kHostNetns, .cgroup_id = 3}).answer == PodAnswer::Pod);
}

TEST_CASE("a pod whose namespace the runtime does not lead to is known by its processes") {
  FakeRuntime runtime;
  runtime.add("web", {.addresses = {an_address("10.0.0.1")}});
  auto options = options_for(runtime);
  std::atomic<int> asked = 0;
  options.list_tasks = [&]() -> Result<std::vector<TaskPlace>> {
    ++asked;
    return std::vector<TaskPlace>{{.pid = 70, .netns_inum = 7, .netns_cookie = 17, .cgroup_id = 3}};
  };
  options.without_events = 20ms;
  const auto directory = PodDirectory::start(options);
  REQUIRE(directory);
  REQUIRE((*directory)->wait_for_first_answer(kLong));
  (*directory)->set_cgroups({{.cgroup_id = 3, .pod_uid = "uid-web"}});
  CHECK(comes_true(**directory, [&] { return (*directory)->state().by_tasks == 1; }));
  CHECK((*directory)->snapshot()->find({.netns_inum = 7, .netns_cookie = 17}).answer == PodAnswer::Pod);
  runtime.remove("web");
  CHECK(comes_true(**directory, [&] { return (*directory)->state().deleted == 1; }));
  CHECK(comes_true(**directory, [&] { return (*directory)->state().by_tasks == 0; }));
  const int before = asked;
  const auto refreshes = (*directory)->state().refreshes;
  CHECK(comes_true(**directory, [&] { return (*directory)->state().refreshes > refreshes + 3; }));
  CHECK(asked == before);
}

TEST_CASE("processes that cannot be listed are not asked for again, and it is told why") {
  FakeRuntime runtime;
  runtime.add("web", {.addresses = {an_address("10.0.0.1")}});
  auto options = options_for(runtime);
  std::atomic<int> asked = 0;
  options.list_tasks = [&]() -> Result<std::vector<TaskPlace>> {
    ++asked;
    return fail(EPERM, "list processes");
  };
  options.without_events = 5ms;
  const auto directory = PodDirectory::start(options);
  REQUIRE(directory);
  CHECK(comes_true(**directory, [&] { return (*directory)->state().refreshes > 5; }));
  CHECK(asked == 1);
  CHECK((*directory)->state().no_tasks.starts_with("list processes: "));
}

TEST_CASE("a deleted pod is still answered with") {
  FakeRuntime runtime;
  runtime.add("web", status_in(7));
  const auto directory = PodDirectory::start(options_for(runtime));
  REQUIRE(directory);
  REQUIRE((*directory)->wait_for_first_answer(kLong));
  runtime.remove("web");
  (*directory)->refresh_soon();
  CHECK(comes_true(**directory, [&] { return (*directory)->state().deleted == 1; }));
  CHECK((*directory)->snapshot()->find({.netns_inum = 7}).answer == PodAnswer::Pod);
}
