#include "pods/netns_arrivals.h"

#include <stdlib.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>

using namespace skbtrail;
using namespace std::chrono_literals;

namespace {

struct Folder {
  Folder() { REQUIRE(::mkdtemp(path.data()) != nullptr); }
  ~Folder() { std::filesystem::remove_all(path); }
  // What a namespace that is mounted there looks like: a file of another file system.
  void mount(const std::string& name) const { std::filesystem::create_symlink("/proc/self/ns/net", path + "/" + name); }

  std::string path = (std::filesystem::temp_directory_path() / "skbtrail-names-XXXXXX").string();
};

std::uint32_t own_inum() {
  struct stat info {};
  REQUIRE(::stat("/proc/self/ns/net", &info) == 0);
  return static_cast<std::uint32_t>(info.st_ino);
}

using Inums = std::vector<std::uint32_t>;
const std::chrono::steady_clock::time_point kStart{1h};

}  // namespace

TEST_CASE("without a folder nothing is new, and all of one that comes later is") {
  NetnsArrivals nowhere{{}};
  nowhere.look(kStart);
  CHECK(nowhere.fresh().empty());
  const Folder folder;
  NetnsArrivals names{folder.path + "/later"};
  names.look(kStart);
  std::filesystem::rename(folder.path, folder.path + "x");
  std::filesystem::create_directory(folder.path);
  std::filesystem::create_directory(folder.path + "/later");
  std::filesystem::create_symlink("/proc/self/ns/net", folder.path + "/later/cni-1");
  names.look(kStart);
  CHECK(names.fresh() == Inums{own_inum()});
  std::filesystem::remove_all(folder.path + "x");
}

TEST_CASE("what is there at the first look is old") {
  const Folder folder;
  folder.mount("cni-0");
  NetnsArrivals names{folder.path};
  names.look(kStart);
  CHECK(names.fresh().empty());
  names.look(kStart + 1s);
  CHECK(names.fresh().empty());
}

TEST_CASE("a new name is new once a namespace is there, for a minute, and until it goes") {
  const Folder folder;
  NetnsArrivals names{folder.path};
  names.look(kStart);
  std::ofstream(folder.path + "/cni-1") << "";
  names.look(kStart);
  CHECK(names.fresh().empty());
  std::filesystem::remove(folder.path + "/cni-1");
  folder.mount("cni-1");
  names.look(kStart + 1s);
  CHECK(names.fresh() == Inums{own_inum()});
  names.look(kStart + 59s);
  CHECK(names.fresh() == Inums{own_inum()});
  SECTION("time") {
    names.look(kStart + 61s);
  }
  SECTION("end") {
    std::filesystem::remove(folder.path + "/cni-1");
    names.look(kStart + 2s);
  }
  CHECK(names.fresh().empty());
}

TEST_CASE("only names that runtimes give are those of pods") {
  const Folder folder;
  NetnsArrivals names{folder.path};
  names.look(kStart);
  for (const char* other :
       {"by-hand", "0f3c5b0e-6a1d-4a39-9c1e-1b2c3d4e5f6", "0f3c5b0e_6a1d_4a39_9c1e_1b2c3d4e5f60", "cni"})
    folder.mount(other);
  names.look(kStart);
  CHECK(names.fresh().empty());
  folder.mount("0f3c5b0e-6a1d-4a39-9c1e-1b2c3d4e5f60");
  names.look(kStart);
  CHECK(names.fresh() == Inums{own_inum()});
}
