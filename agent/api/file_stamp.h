#pragma once
// FileStamp: tells whether a file is another one than before: replaced, renamed over or written to.

#include <sys/stat.h>

#include <cerrno>
#include <ctime>
#include <string>

#include "base/result.h"

namespace skbtrail {

struct FileStamp {
  dev_t device = 0;
  ino_t inode = 0;
  off_t size = -1;
  timespec modified{};
  timespec changed{};

  friend bool operator==(const FileStamp& one, const FileStamp& other) {
    const auto same = [](const timespec& a, const timespec& b) {
      return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
    };
    return one.device == other.device && one.inode == other.inode && one.size == other.size &&
           same(one.modified, other.modified) && same(one.changed, other.changed);
  }
};

// Follows symbolic links: mounted Secrets are changed by another link.
inline Result<FileStamp> stamp_of(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    const int err = errno;
    return fail(err, "look at '" + path + "'");
  }
  return FileStamp{.device = status.st_dev,
                   .inode = status.st_ino,
                   .size = status.st_size,
                   .modified = status.st_mtim,
                   .changed = status.st_ctim};
}

}  // namespace skbtrail
