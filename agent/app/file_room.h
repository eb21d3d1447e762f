#pragma once
// Room in the table of open files, asked for before anything is started: gRPC ends the whole process when it finds
// none.

#include <cstddef>

#include "base/result.h"

namespace skbtrail {

// Of file descriptors: what a trace with pods opens at most, threefold.
inline constexpr int kFileRoom = 192;

// What an agent may have at once.
struct AgentFiles {
  std::size_t sessions = 0;     // that run
  std::size_t connections = 0;  // of all servers
};
// How many files those are, with what an agent holds besides, and the namespaces of as many pods as a node usually has.
int file_room_of(const AgentFiles& files);

// EMFILE: fewer than `wanted` are free in this process, or (ENFILE) on this machine. The soft limit is raised first, as
// far as the hard one allows and an agent can ever need.
Result<> make_file_room(int wanted = kFileRoom);

}  // namespace skbtrail
