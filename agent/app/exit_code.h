#pragma once
// Exit codes that scripts rely on; see docs/trace.md.

#include <cerrno>

namespace skbtrail {

inline constexpr int kExitDone = 0;
inline constexpr int kExitFailed = 1;       // while running
inline constexpr int kExitUsage = 2;        // what was asked is wrong
inline constexpr int kExitUnsupported = 3;  // this kernel or these privileges cannot do it

// For an error met before tracing started.
inline int exit_code_of(int error) {
  switch (error) {
    case EPERM:
    case EACCES:
    case ENOTSUP:
    case ENOSYS: return kExitUnsupported;
    case EINVAL:
    case ENOENT:
    case ENODEV:
    case E2BIG: return kExitUsage;
    default: return kExitFailed;
  }
}

// The same for one of the kernel's at load and attach, which says nothing about what the user wrote.
inline int start_code_of(int error) {
  const int exit_code = exit_code_of(error);
  return exit_code == kExitUsage ? kExitFailed : exit_code;
}

}  // namespace skbtrail
