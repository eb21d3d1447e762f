#pragma once
// Network namespaces for tests on the machine's own kernel. A test calls in_private_netns(), so that what it makes is
// seen by nobody else and gone with it.

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <thread>

#include "base/unique_fd.h"

namespace skbtrail::test {

// Runs a shell command in the calling thread's network namespace; whether it succeeded.
inline bool shell(const std::string& command) {
  const int status = std::system((command + " >/dev/null 2>&1").c_str());  // NOLINT(cert-env33-c): tests only
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// Runs `body` on a thread in a namespace of its own; false: not allowed here (CAP_SYS_ADMIN), or there is no ip(8).
template <class Body>
bool in_private_netns(Body&& body) {
  if (!shell("ip -V"))
    return false;
  bool entered = false;
  std::thread([&] {
    if (::unshare(CLONE_NEWNET) != 0)
      return;
    entered = true;
    body();
  }).join();
  return entered;
}

// A namespace with a name of `ip netns`, deleted at the end of its scope.
class TestNetns final {
public:
  TestNetns() : name_("skbtrail-test-" + std::to_string(::getpid()) + "-" + std::to_string(count_++)) {
    shell("ip netns add " + name_);
  }
  TestNetns(const TestNetns&) = delete;
  TestNetns& operator=(const TestNetns&) = delete;
  ~TestNetns() { remove(); }

  void remove() { shell("ip netns delete " + name_); }
  bool ip(const std::string& arguments) const { return shell("ip -n " + name_ + " " + arguments); }
  const std::string& name() const { return name_; }
  std::string path() const { return "/run/netns/" + name_; }
  UniqueFd open() const { return UniqueFd{::open(path().c_str(), O_RDONLY | O_CLOEXEC)}; }
  std::uint32_t inum() const {
    struct stat info {};
    return ::stat(path().c_str(), &info) == 0 ? static_cast<std::uint32_t>(info.st_ino) : 0;
  }

private:
  static inline std::atomic<int> count_ = 0;
  std::string name_;
};

}  // namespace skbtrail::test
