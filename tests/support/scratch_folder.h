#pragma once
// ScratchFolder: a folder of one test, gone with it.

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

namespace skbtrail::test {

class ScratchFolder final {
public:
  ScratchFolder() {
    std::string form = (std::filesystem::temp_directory_path() / "skbtrail-XXXXXX").string();
    if (!::mkdtemp(form.data()))
      throw std::runtime_error("no scratch folder");
    folder_ = form;
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream file(folder_ / name, std::ios::binary);
    file << text;
  }

private:
  std::filesystem::path folder_;
};

}  // namespace skbtrail::test
