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
      is_too_long_ = rest_.size() + std::min(end, bytes.size()) > longest_;
      if (is_too_long_)
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

  // Why add() said false.
  bool is_too_long() const { return is_too_long_; }

private:
  std::size_t longest_;
  std::string rest_;
  bool is_too_long_ = false;
};

}  // namespace skbtrail
