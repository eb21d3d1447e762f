// A path that a runtime names as a network namespace, against a folder that stands for the host's files: whatever it
// is, nothing outside of that folder or of /proc below it is opened, and it ends.
#include <stdlib.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "pods/netns_file.h"

using namespace skbtrail;

namespace {

// A plain file, and links that lead out, in a circle and to far above.
class Root final {
public:
  Root() {
    std::string name = (std::filesystem::temp_directory_path() / "skbtrail-fuzz-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr)
      std::abort();
    path_ = name;
    std::filesystem::create_directories(path_ / "run/netns");
    std::ofstream(path_ / "run/netns/a") << "x";
    std::filesystem::create_symlink("/proc/self/ns/net", path_ / "run/netns/b");
    std::filesystem::create_symlink("c", path_ / "run/netns/c");
    std::filesystem::create_symlink("../../../../..", path_ / "run/netns/d");
  }
  ~Root() { std::filesystem::remove_all(path_); }
  Root(const Root&) = delete;
  Root& operator=(const Root&) = delete;
  const std::filesystem::path& path() const { return path_; }

private:
  std::filesystem::path path_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Root kRoot;
  const std::string path(reinterpret_cast<const char*>(data), size);
  // There is no namespace in that folder, so nothing may be found.
  if (open_netns(kRoot.path(), path))
    std::abort();
  return 0;
}
