#include "kernel/host_root.h"

#include <catch2/catch.hpp>

#include "unit/kernel/test_host.h"

using namespace skbtrail;

TEST_CASE("a missing file of the host is an error that names it") {
  const TestHost host;
  const auto content = host.root().read("/proc/kallsyms");
  REQUIRE_FALSE(content);
  CHECK(content.error().code == ENOENT);
  CHECK(content.error().message == "open '" + host.path() + "/proc/kallsyms': No such file or directory");
  CHECK_FALSE(host.root().exists("/proc/kallsyms"));
}

TEST_CASE("a directory of the host does not read as a file") {
  TestHost host;
  host.with("/sys/kernel/btf/vmlinux", "");
  const auto content = host.root().read("/sys/kernel/btf");
  REQUIRE_FALSE(content);
  CHECK(content.error().code == EISDIR);
}

TEST_CASE("a missing directory of the host cannot be listed") {
  const TestHost host;
  const auto names = host.root().list("/sys/kernel/btf");
  REQUIRE_FALSE(names);
  CHECK(names.error().code == ENOENT);
}

TEST_CASE("a file of the host is read whole, however long") {
  TestHost host;
  const std::string content(200'000, 'x');
  host.with("/proc/long", content);
  const auto read = host.root().read("/proc/long");
  REQUIRE(read);
  CHECK(*read == content);
}

TEST_CASE("names in a directory of the host come sorted") {
  TestHost host;
  host.with("/sys/kernel/btf/veth", "").with("/sys/kernel/btf/bridge", "");
  const auto names = host.root().list("/sys/kernel/btf");
  REQUIRE(names);
  CHECK(*names == std::vector<std::string>{"bridge", "veth"});
}
