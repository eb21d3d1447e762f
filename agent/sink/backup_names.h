#pragma once
// Names of the files that an output was rotated into, and what is to become of them. Pure. The names are those of
// lumberjack, which pwru rotates with: "trace.json" goes to "trace-2026-11-24T09-00-00.123.json", compressed with
// ".gz".

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skbtrail {

// 0: no bound.
struct BackupRules {
  std::uint32_t max_count = 0;
  std::uint32_t max_age_days = 0;
  bool compress = false;
};

// `local_ms`: milliseconds since the epoch, as the wall clock of this place shows them.
std::string backup_name(std::string_view file, std::int64_t local_ms);

// When `candidate` was made, compressed or not; absent when it is no backup of `file`.
std::optional<std::int64_t> backup_time(std::string_view file, std::string_view candidate);

struct BackupPlan {
  std::vector<std::string> remove;
  std::vector<std::string> compress;
};

// `names` are those of the folder.
BackupPlan plan_backups(std::string_view file, const std::vector<std::string>& names, const BackupRules& rules,
                        std::int64_t now_local_ms);

}  // namespace skbtrail
