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

void raise_limit() {
  constexpr rlim_t kWanted = 1024;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= kWanted)
    return;
  limit.rlim_cur = std::min(kWanted, limit.rlim_max);
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

Result<> make_file_room() {
  raise_limit();
  const auto room = room_for(kFileRoom);
  if (room.error == 0)
    return {};
  return refuse(room.error, "there is room for " + std::to_string(room.free) + " more open files only, and " +
                                std::to_string(kFileRoom) + " are needed: raise the limit " +
                                (room.error == ENFILE ? "of the machine (sysctl fs.file-max)"
                                                      : "of this process (`ulimit -n 1024`)"));
}

}  // namespace skbtrail
