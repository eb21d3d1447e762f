#include "pods/cgroup_tree.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "pods/cgroup_path.h"

using namespace skbtrail;
namespace fs = std::filesystem;

namespace {

const std::string kUid = "0f3c5b0e-6a1d-4a39-9c1e-1b2c3d4e5f60";
const std::string kPod = "kubepods/burstable/pod" + kUid;
const std::string kId = std::string(60, 'a') + "0123";

// A tree of folders: the machine's cgroup2 when it has one we may write to, else an ordinary directory.
class Tree {
public:
  explicit Tree(fs::path parent) {
    std::string name = (parent / "skbtrail-test-XXXXXX").string();
    const char* made = ::mkdtemp(name.data());
    REQUIRE(made);
    root_ = made;
  }
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;
  ~Tree() { remove(""); }

  void make(const std::string& path) const { fs::create_directories(root_ / path); }
  // Deepest first, with rmdir, as cgroups want it.
  void remove(const std::string& path) const {
    std::vector<fs::path> folders = {root_ / path};
    for (const auto& entry : fs::recursive_directory_iterator(root_ / path))
      if (entry.is_directory())
        folders.push_back(entry.path());
    while (!folders.empty()) {
      ::rmdir(folders.back().c_str());
      folders.pop_back();
    }
  }
  std::uint64_t inode(const std::string& path) const {
    struct stat info {};
    REQUIRE(::stat((root_ / path).c_str(), &info) == 0);
    return info.st_ino;
  }
  std::string root() const { return root_.string(); }

private:
  fs::path root_;
};

// Waits for what the kernel has to tell, with a deadline.
bool updated(CgroupTree& tree) {
  pollfd wait{.fd = tree.fd(), .events = POLLIN, .revents = 0};
  return ::poll(&wait, 1, 5000) == 1 && tree.update();
}

std::unique_ptr<CgroupTree> opened(const Tree& tree) {
  auto opened = CgroupTree::open(tree.root());
  REQUIRE(opened);
  return std::move(*opened);
}

}  // namespace

TEST_CASE("a root that is not there is refused with its name") {
  const auto tree = CgroupTree::open("/nowhere/cgroup");
  REQUIRE_FALSE(tree);
  CHECK(tree.error().message == "read the cgroups in '/nowhere/cgroup': No such file or directory");
}

TEST_CASE("what is there at the start is found, and what is no pod's is left out") {
  const Tree folders(fs::temp_directory_path());
  folders.make(kPod + "/" + kId);
  folders.make("system.slice/sshd.service");
  const auto tree = opened(folders);
  const auto found = tree->cgroups();
  REQUIRE(found.size() == 2);
  CHECK(found[0].pod_uid == kUid);
  CHECK(found[0].container_id.empty());
  CHECK(found[1].pod_uid == kUid);
  CHECK(found[1].container_id == kId);
  CHECK(tree->counts().over_bound == 0);
}

TEST_CASE("cgroups that come and go later are heard of, with all that is below them") {
  const Tree folders(fs::temp_directory_path());
  const auto tree = opened(folders);
  CHECK(tree->cgroups().empty());
  CHECK_FALSE(tree->update());
  folders.make(kPod + "/" + kId + "/inner");
  REQUIRE(updated(*tree));
  while (tree->cgroups().size() < 3)
    REQUIRE(updated(*tree));
  folders.remove(kPod + "/" + kId);
  while (tree->cgroups().size() > 1)
    REQUIRE(updated(*tree));
  CHECK(tree->cgroups().front().container_id.empty());
}

TEST_CASE("a removal does not take along what only begins with the same name") {
  const Tree folders(fs::temp_directory_path());
  folders.make("kubepods/pod" + kUid);
  folders.make("kubepods/pod" + kUid + "-not/docker/" + kId);
  const auto tree = opened(folders);
  REQUIRE(tree->cgroups().size() == 2);
  folders.remove("kubepods/pod" + kUid);
  REQUIRE(updated(*tree));
  REQUIRE(tree->cgroups().size() == 1);
  CHECK(tree->cgroups().front().container_id == kId);
}

TEST_CASE("a tree that is too deep is read to its bound") {
  const Tree folders(fs::temp_directory_path());
  std::string deep = kPod;
  for (int level = 0; level < 2 * CgroupTree::kMaxDepth; ++level)
    deep += "/d";
  folders.make(deep);
  const auto tree = opened(folders);
  CHECK(tree->cgroups().size() == static_cast<std::size_t>(CgroupTree::kMaxDepth) - 2);
  CHECK(tree->counts().over_bound == 1);
}

TEST_CASE("more changes than the kernel keeps end in a full read") {
  std::ifstream limit("/proc/sys/fs/inotify/max_queued_events");
  int most = 0;
  limit >> most;
  const Tree folders(fs::temp_directory_path());
  folders.make("kubepods");
  const auto tree = opened(folders);
  for (int times = 0; times <= most / 2 + 1; ++times) {
    folders.make("kubepods/x");
    ::rmdir((folders.root() + "/kubepods/x").c_str());
  }
  folders.make("kubepods/pod" + kUid);
  CHECK(tree->update());
  CHECK(tree->counts().overruns == 1);
  CHECK(tree->cgroups().size() == 1);
}

TEST_CASE("in cgroup2 a cgroup's id is its inode number, and its coming is heard of") {
  std::ifstream file("/proc/self/mountinfo");
  const std::string mounts{std::istreambuf_iterator<char>(file), {}};
  const auto mount = cgroup2_mount(mounts);
  if (!mount || ::access(mount->c_str(), W_OK) != 0) {
    WARN("skipped: lacked a cgroup2 mount that may be written to");
    return;
  }
  const Tree folders(*mount);
  const auto tree = opened(folders);
  folders.make("pod" + kUid);
  REQUIRE(updated(*tree));
  REQUIRE(tree->cgroups().size() == 1);
  CHECK(tree->cgroups().front().cgroup_id == folders.inode("pod" + kUid));
  folders.remove("pod" + kUid);
  REQUIRE(updated(*tree));
  CHECK(tree->cgroups().empty());
}
