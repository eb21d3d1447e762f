#pragma once
// LineSplitter: a stream of bytes as lines, of a bounded length.

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

namespace skbtrail {

class LineSplitter final {
public:
  explicit LineSplitter(std::size_t longest) : longest_(longest) {}

  // Hands each whole line to `take`, without newline, empty ones not. False: `take` wants no more, or a line is too
  // long.
  template <class Take>
  bool add(std::string_view bytes, Take&& take) {
    while (true) {
      const auto end = bytes.find('\n');
      if (rest_.size() + std::min(end, bytes.size()) > longest_)
        return false;
      if (end == std::string_view::npos) {
        rest_.append(bytes);
        return true;
      }
      rest_.append(bytes.substr(0, end));
      bytes.remove_prefix(end + 1);
      const bool more = rest_.empty() || take(std::string_view(rest_));
      rest_.clear();
      if (!more)
        return false;
    }
  }

private:
  std::size_t longest_;
  std::string rest_;
};

}  // namespace skbtrail
