#include "kernel/netns_names.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "test_host.h"

using namespace skbtrail;

namespace {

std::uint32_t own_netns() {
  struct stat info {};
  REQUIRE(::stat("/proc/self/ns/net", &info) == 0);
  return static_cast<std::uint32_t>(info.st_ino);
}

// As `ip netns attach` does; a link is as good as a mount.
void name_own(const TestHost& host, const std::string& name) {
  std::filesystem::create_symlink("/proc/self/ns/net", host.path() + "/run/netns/" + name);
}

constexpr std::uint64_t kStart = 5'000'000'000;

}  // namespace

TEST_CASE("without the folder of names nothing has a name") {
  const TestHost host;
  NetnsNames names{host.root()};
  CHECK(names.name_of(own_netns(), kStart).empty());
}

TEST_CASE("a file that no namespace is mounted on is no name, though its inode may be anything") {
  TestHost host;
  host.with("/run/netns/half", "");
  struct stat info {};
  REQUIRE(::stat((host.path() + "/run/netns/half").c_str(), &info) == 0);
  NetnsNames names{host.root()};
  CHECK(names.name_of(static_cast<std::uint32_t>(info.st_ino), kStart).empty());
}

TEST_CASE("a namespace with two names goes by the first") {
  TestHost host;
  host.with("/run/netns/half", "");
  name_own(host, "green");
  name_own(host, "blue");
  NetnsNames names{host.root()};
  CHECK(names.name_of(own_netns(), kStart) == "blue");
  CHECK(names.name_of(1, kStart).empty());
}

TEST_CASE("a name that is given later is seen soon, and one that is taken away is forgotten") {
  TestHost host;
  host.with("/run/netns/half", "");
  NetnsNames names{host.root()};
  CHECK(names.name_of(own_netns(), kStart).empty());
  name_own(host, "blue");
  CHECK(names.name_of(own_netns(), kStart + NetnsNames::kNoneFor - 1).empty());
  CHECK(names.name_of(own_netns(), kStart + NetnsNames::kNoneFor) == "blue");
  std::filesystem::remove(host.path() + "/run/netns/blue");
  name_own(host, "red");
  CHECK(names.name_of(own_netns(), kStart + NetnsNames::kNoneFor + NetnsNames::kNameFor) == "red");
}
