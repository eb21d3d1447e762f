#pragma once
// HostRoot: where /proc and /sys are. Every read of them goes through here, so that a test can be a directory
// and a container can look at its host.

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace skbtrail {

class HostRoot final {
public:
  explicit HostRoot(std::filesystem::path root = "/");

  // "/proc/kallsyms" as this root sees it.
  std::string path(std::string_view absolute) const;
  bool exists(std::string_view absolute) const;
  Result<std::string> read(std::string_view absolute) const;
  // What one read() gives: of files of /proc the first lines.
  Result<std::string> read_start(std::string_view absolute) const;
  // The same piece by piece, for files of many megabytes; `take` ends it by returning an error.
  Result<> read_pieces(std::string_view absolute, const std::function<Result<>(std::string_view)>& take) const;
  // Names in a directory, sorted.
  Result<std::vector<std::string>> list(std::string_view directory) const;

private:
  std::filesystem::path root_;
};

}  // namespace skbtrail
