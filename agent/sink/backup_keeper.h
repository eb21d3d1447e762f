#pragma once
// BackupKeeper: rotates one file. Renaming happens at once; compressing and removing old backups on a thread of its
// own, since a gzip of 100 MB takes seconds in which the ring would overflow.

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "sink/backup_names.h"

namespace skbtrail {

struct FileRotation {
  std::uint64_t max_bytes = 0;  // of one file; 0: it is not rotated
  BackupRules backups = {};
};

// The folder that `path` is in; "." for a bare name.
std::filesystem::path folder_of(const std::filesystem::path& path);

class BackupKeeper final {
public:
  // What is told by finish(); more of it is counted.
  static constexpr std::size_t kMaxRemarks = 8;

  // Looks at backups of earlier runs, too.
  BackupKeeper(const std::filesystem::path& path, const BackupRules& rules);
  ~BackupKeeper();
  BackupKeeper(const BackupKeeper&) = delete;
  BackupKeeper& operator=(const BackupKeeper&) = delete;

  // Makes the file a backup, and creates it anew with the same mode as `old_fd`, which stays the caller's.
  Result<UniqueFd> next_file(int old_fd);

  // Waits for what is still to be done. One line for each thing that went wrong; no event is lost by any of them.
  std::vector<std::string> finish();

private:
  void work();
  void look_after_backups();
  void remove(const std::string& name);
  void compress(const std::string& name);
  void remark(std::string text);

  std::filesystem::path folder_;
  std::string file_;
  BackupRules rules_;
  std::set<std::string> left_as_is_;  // the worker's: backups that could not be compressed, told once

  std::mutex mutex_;
  std::condition_variable wake_;
  bool wanted_ = true;
  bool ending_ = false;
  std::vector<std::string> remarks_;
  std::size_t further_remarks_ = 0;
  std::thread worker_;  // last: it uses all of the above
};

}  // namespace skbtrail
