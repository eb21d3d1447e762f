#pragma once
// What is known of the terminal that a stream goes to.

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>

namespace skbtrail {

// 0: not a terminal.
inline std::size_t terminal_width(int fd) {
  winsize size{};
  if (!::isatty(fd))
    return 0;
  return ::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

// https://no-color.org
inline bool wants_colour(int fd) {
  const char* refused = std::getenv("NO_COLOR");
  return ::isatty(fd) && (!refused || !*refused);
}

}  // namespace skbtrail
