#include "pods/netns_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

using namespace skbtrail;

namespace {

// A folder that looks like a host's root, gone with the test.
class Root final {
public:
  Root() {
    std::string name = (std::filesystem::temp_directory_path() / "skbtrail-netns-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
    std::filesystem::create_directories(path_ / "run/netns");
  }
  ~Root() { std::filesystem::remove_all(path_); }
  Root(const Root&) = delete;
  Root& operator=(const Root&) = delete;
  const std::filesystem::path& path() const { return path_; }

private:
  std::filesystem::path path_;
};

std::uint32_t own_inum() {
  struct stat info {};
  REQUIRE(::stat("/proc/self/ns/net", &info) == 0);
  return static_cast<std::uint32_t>(info.st_ino);
}

}  // namespace

TEST_CASE("a path that is no network namespace is refused without being opened") {
  const Root root;
  std::ofstream(root.path() / "run/netns/plain") << "x";
  REQUIRE(::mkfifo((root.path() / "run/netns/fifo").c_str(), 0600) == 0);
  const auto* const path = GENERATE("/run/netns/plain", "/run/netns/fifo", "/run/netns", "/");
  const auto netns = open_netns(root.path(), std::string(path));
  REQUIRE_FALSE(netns);
  CHECK(netns.error().code == EINVAL);
}

TEST_CASE("a path that is relative, vanished or endless is refused with its reason") {
  const Root root;
  CHECK(open_netns(root.path(), std::string("run/netns/x")).error().code == EINVAL);
  CHECK(open_netns(root.path(), std::string("")).error().code == EINVAL);
  CHECK(open_netns(root.path(), std::string("/run/netns/gone")).error().code == ENOENT);
  CHECK(open_netns(root.path(), "/" + std::string(5'000, 'x')).error().code == ENAMETOOLONG);
  CHECK(open_netns("/nowhere/at/all", std::string("/run/netns/gone")).error().code == ENOENT);
}

TEST_CASE("a symlink does not lead out of the host's root") {
  const Root root;
  std::filesystem::create_symlink("/proc/self/ns/net", root.path() / "run/netns/out");
  CHECK_FALSE(open_netns(root.path(), std::string("/run/netns/out")));
  CHECK_FALSE(open_netns(root.path(), std::string("/../../../../proc/self/ns/net")));
}

TEST_CASE("of a process' links only that to its network namespace is followed") {
  const auto own = "/proc/" + std::to_string(::getpid());
  CHECK(open_netns("/", own + "/ns/net"));
  CHECK(open_netns("/", own + "/task/" + std::to_string(::getpid()) + "/ns/net"));
  for (const auto* const other : {"/ns/mnt", "/cwd/proc/1/ns/net", "/cwd/ns/net", "/../1/ns/net", "/task//ns/net"})
    CHECK_FALSE(open_netns("/", own + other));
  CHECK_FALSE(open_netns("/", std::string("/proc/ns/net")));
}

TEST_CASE("the namespace of a process is held as a file, and known by its inode") {
  const auto netns = open_netns("/", ::getpid());
  REQUIRE(netns);
  CHECK(netns->inum == own_inum());
  REQUIRE(netns->fd);
  CHECK(*netns->fd);
}

TEST_CASE("the host's namespace is found, and not where there is no host") {
  CHECK(host_netns_inum("/"));
  const Root root;
  const auto none = host_netns_inum(root.path());
  REQUIRE_FALSE(none);
  CHECK(none.error().message.find("the host's network namespace: open network namespace '/proc/1/ns/net'") == 0);
}

TEST_CASE("asking for a cookie leaves the caller where it is") {
  const auto netns = open_netns("/", ::getpid());
  REQUIRE(netns);
  const auto cookie = netns_cookie(*netns);
  CHECK(own_inum() == netns->inum);
  CHECK(netns_cookie(*netns) == cookie);
  CHECK(netns_cookie(NetnsFile{}) == 0);
}
