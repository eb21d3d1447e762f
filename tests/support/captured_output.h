#pragma once
// CapturedOutput: an Output whose text a test reads back.

#include <sys/mman.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "sink/output.h"

namespace skbtrail::test {

class CapturedOutput {
public:
  Output& output() { return *output_; }

  std::string text() {
    if (!output_->flush())
      return "flush failed";
    std::string all(static_cast<std::size_t>(::lseek(file_.get(), 0, SEEK_END)), '\0');
    if (::pread(file_.get(), all.data(), all.size(), 0) != static_cast<ssize_t>(all.size()))
      return "read failed";
    return all;
  }

  std::vector<std::string> lines() {
    std::vector<std::string> all;
    const std::string whole = text();
    for (std::size_t start = 0; start < whole.size();) {
      const std::size_t end = whole.find('\n', start);
      all.push_back(whole.substr(start, end - start));
      start = end == std::string::npos ? whole.size() : end + 1;
    }
    return all;
  }

private:
  UniqueFd file_{::memfd_create("captured", MFD_CLOEXEC)};
  std::unique_ptr<Output> output_ = Output::borrow(file_.get(), "captured");
};

}  // namespace skbtrail::test
