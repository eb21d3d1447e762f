#pragma once
// A network namespace as an open file: its inode number is not given to another one for as long as the file is held.

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace skbtrail {

struct NetnsFile {
  std::shared_ptr<const UniqueFd> fd;
  std::uint32_t inum = 0;
};

// `path` is absolute and of the host, whose files are seen below `host_root`: symlinks in it do not lead out of there,
// and whatever is no network namespace is not opened. EINVAL: it is something else.
Result<NetnsFile> open_netns(const std::filesystem::path& host_root, const std::string& path);

// Of a process of the host, whose /proc is seen below `host_root`. Needs CAP_SYS_PTRACE for processes of others.
Result<NetnsFile> open_netns(const std::filesystem::path& host_root, pid_t pid);

// The inode number of the namespace of the host's first process, which is the host's own. Where that process may not be
// looked at and `host_root` is "/", this process' own stands for it: who sees the host's files as they are is no pod.
Result<std::uint32_t> host_netns_inum(const std::filesystem::path& host_root);

// Unique for as long as the machine runs (Linux 5.14); 0 where the kernel has none, or without CAP_SYS_ADMIN, which
// entering a namespace needs. A thread of its own enters, so that the caller stays where it is.
std::uint64_t netns_cookie(const NetnsFile& netns);

}  // namespace skbtrail
