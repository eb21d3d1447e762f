#pragma once
// TestHost: a directory that stands in for /, filled file by file and gone at the end of the test.

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "kernel/host_root.h"

namespace skbtrail {

class TestHost final {
public:
  TestHost() : directory_(make_directory()) {}
  TestHost(const TestHost&) = delete;
  TestHost& operator=(const TestHost&) = delete;
  ~TestHost() { std::filesystem::remove_all(directory_); }

  TestHost& with(std::string_view absolute, std::string_view content) {
    const auto path = directory_ / std::filesystem::path(absolute).relative_path();
    std::filesystem::create_directories(path.parent_path());
    std::ofstream{path} << content;
    return *this;
  }

  HostRoot root() const { return HostRoot{directory_}; }
  std::string path() const { return directory_.string(); }

private:
  static std::filesystem::path make_directory() {
    std::string name = (std::filesystem::temp_directory_path() / "skbtrail-host-XXXXXX").string();
    return ::mkdtemp(name.data());
  }
  std::filesystem::path directory_;
};

}  // namespace skbtrail
