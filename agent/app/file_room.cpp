#include "app/file_room.h"

#include <sys/eventfd.h>
#include <sys/resource.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/unique_fd.h"

namespace skbtrail {
namespace {

// How many can be opened, up to `wanted`, and errno of the one that cannot.
struct Room {
  int free = 0;
  int error = 0;
};

Room room_for(int wanted) {
  std::vector<UniqueFd> files;
  while (static_cast<int>(files.size()) < wanted) {
    UniqueFd file{::eventfd(0, EFD_CLOEXEC)};
    if (const int err = errno; !file)
      return {.free = static_cast<int>(files.size()), .error = err};
    files.push_back(std::move(file));
  }
  return {.free = wanted};
}

// 16 sessions, 208 connections, and a namespace for each of 4,096 sandboxes. Nothing here uses select(), which would
// know no more than 1,024.
void raise_limit() {
  constexpr rlim_t kMostEver = 8192;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= kMostEver)
    return;
  limit.rlim_cur = std::min(kMostEver, limit.rlim_max);
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int file_room_of(const AgentFiles& files) {
  // At rest an agent has been seen with 38 (Linux 6.18); the runtime, the API server and a log store add a dozen.
  constexpr std::size_t kAgent = 128;
  // Its object has 9 maps, 15 programs and as many links; besides a ring, types, and the way to a helper process.
  constexpr std::size_t kSession = 80;
  constexpr std::size_t kPods = 256;
  return static_cast<int>(kAgent + kSession * files.sessions + kPods + files.connections);
}

Result<> make_file_room(int wanted) {
  raise_limit();
  const auto room = room_for(wanted);
  if (room.error == 0)
    return {};
  return refuse(room.error, "there is room for " + std::to_string(room.free) + " more open files only, and " +
                                std::to_string(wanted) + " are needed: raise the limit " +
                                (room.error == ENFILE ? "of the machine (sysctl fs.file-max)"
                                                      : "of this process (`ulimit -n " +
                                                            std::to_string(std::max(1024, 2 * wanted)) + "`)"));
}

}  // namespace skbtrail
