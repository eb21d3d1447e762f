#include "app/file_room.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>

namespace skbtrail {
namespace {

// The code that it gives under these limits, asked for in a process of its own: a hard limit cannot be taken back.
int code_under(rlim_t soft, rlim_t hard, int wanted = kFileRoom) {
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit limit{.rlim_cur = soft, .rlim_max = hard};
    const bool is_set = ::setrlimit(RLIMIT_NOFILE, &limit) == 0;
    const auto made = make_file_room(wanted);
    ::_exit(!is_set ? 255 : made ? 0 : made.error().code);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  return WEXITSTATUS(status);
}

TEST_CASE("a table of open files with too little room is told before anything is opened") {
  CHECK(code_under(12, 12) == EMFILE);
  CHECK(code_under(kFileRoom, kFileRoom) == EMFILE);
  CHECK(code_under(1024, 1024) == 0);
}

TEST_CASE("what an agent needs grows with its sessions and connections, and is asked for as a whole") {
  const int usual = file_room_of({.sessions = 4, .connections = 36});
  const int most = file_room_of({.sessions = 16, .connections = 208});
  CHECK(usual < 1024 - 16);
  CHECK(most > 1024);
  CHECK(code_under(1024, 1024, usual) == 0);
  CHECK(code_under(1024, 1024, most) == EMFILE);
  CHECK(code_under(1024, 4096, most) == 0);
}

TEST_CASE("a soft limit is raised as far as the hard one allows it") {
  CHECK(code_under(12, 1024) == 0);
  CHECK(code_under(12, 64) == EMFILE);
}

}  // namespace
}  // namespace skbtrail
