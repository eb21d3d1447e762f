#pragma once
// What a command says when it ends with an error.

#include <cstdio>

#include "base/result.h"

namespace skbtrail {

// On stderr, in one line; hands `exit_code` back.
inline int report(const char* command, const Error& error, int exit_code) {
  std::fprintf(stderr, "skbtrail %s: %s\n", command, error.message.c_str());
  return exit_code;
}

}  // namespace skbtrail
