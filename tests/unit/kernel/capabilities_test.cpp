#include "kernel/capabilities.h"

#include <linux/capability.h>
#include <catch2/catch.hpp>

#include "unit/kernel/test_host.h"

using namespace skbtrail;

namespace {

std::vector<std::string> names(const std::vector<MissingCapability>& missing) {
  std::vector<std::string> all;
  for (const auto& one : missing)
    all.push_back(one.name);
  return all;
}

constexpr std::uint64_t bit(unsigned number) {
  return std::uint64_t{1} << number;
}

}  // namespace

TEST_CASE("a process without capabilities lacks all that are needed") {
  CHECK(names(missing_capabilities(0, CAP_CHECKPOINT_RESTORE)) ==
        std::vector<std::string>{"CAP_BPF", "CAP_PERFMON", "CAP_SYSLOG", "CAP_NET_ADMIN"});
}

TEST_CASE("a status without the line of capabilities grants none") {
  CHECK(effective_capabilities("") == 0);
  CHECK(effective_capabilities("Name:\tx\nCapEff:") == 0);
}

TEST_CASE("kernels before 5.8 ask for CAP_SYS_ADMIN") {
  CHECK(names(missing_capabilities(bit(CAP_SYSLOG), CAP_AUDIT_READ)) == std::vector<std::string>{"CAP_SYS_ADMIN"});
}

TEST_CASE("CAP_SYS_ADMIN stands for the others") {
  CHECK(missing_capabilities(bit(CAP_SYS_ADMIN), CAP_CHECKPOINT_RESTORE).empty());
}

TEST_CASE("what is held is not missing") {
  TestHost host;
  host.with("/proc/self/status", "Name:\tx\nCapEff:\t000000c000001000\n").with("/proc/sys/kernel/cap_last_cap", "40\n");
  CHECK(names(read_missing_capabilities(host.root())) == std::vector<std::string>{"CAP_SYSLOG"});
}

TEST_CASE("CAP_SYS_ADMIN does not stand for what naming pods takes") {
  CHECK(names(missing_pod_capabilities(bit(CAP_SYS_ADMIN))) ==
        std::vector<std::string>{"CAP_NET_ADMIN", "CAP_NET_BROADCAST", "CAP_SYS_PTRACE"});
  CHECK(names(missing_pod_capabilities(bit(CAP_NET_ADMIN) | bit(CAP_SYS_PTRACE))) ==
        std::vector<std::string>{"CAP_NET_BROADCAST"});
  TestHost host;
  host.with("/proc/self/status", "CapEff:\t0000000000081800\n");
  CHECK(read_missing_pod_capabilities(host.root()).empty());
}
