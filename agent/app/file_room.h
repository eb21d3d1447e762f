#pragma once
// Room in the table of open files, asked for before anything is started: gRPC ends the whole process when it finds
// none.

#include "base/result.h"

namespace skbtrail {

// Of file descriptors: what a trace with pods opens at most, threefold.
inline constexpr int kFileRoom = 192;

// EMFILE: fewer than kFileRoom are free in this process, or (ENFILE) on this machine. The soft limit is raised first
// to 1024, if the hard one allows it: no further, since select() knows no more.
Result<> make_file_room();

}  // namespace skbtrail
