#pragma once
// NetnsArrivals: which names in the folder of network namespaces are new, among those that container runtimes give. A
// pod's namespace gets its name there first, then its network, then its sandbox, and only then does the runtime tell of
// it: what is new is a pod on its way.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace skbtrail {

// Used by one thread.
class NetnsArrivals final {
public:
  // A name that is older is not a pod's, or of one that failed.
  static constexpr std::chrono::seconds kNew{60};
  // What is beyond is not looked at: such pods are found all the same, by the runtime.
  static constexpr std::size_t kMaxNames = 8'192;

  // Empty: there is no such folder, and nothing is ever new.
  explicit NetnsArrivals(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // What is there at the first call is old. The folder may come later.
  void look(std::chrono::steady_clock::time_point now);
  // Inode numbers of namespaces whose names are new; sorted.
  std::vector<std::uint32_t> fresh() const;

private:
  struct Name {
    std::chrono::steady_clock::time_point since;
    bool is_old = false;
    std::uint32_t inum = 0;  // 0: no namespace is mounted there yet
  };

  std::filesystem::path folder_;
  std::map<std::string, Name> names_;
  bool has_looked_ = false;
};

}  // namespace skbtrail
