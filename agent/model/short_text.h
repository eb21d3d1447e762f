#pragma once
// ShortText: the kernel's 16-byte names (task, interface) by value, without an allocation.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace skbtrail {

class ShortText final {
public:
  static constexpr std::size_t kCapacity = 16;

  ShortText() = default;
  // Takes what stands before the first NUL, at most kCapacity bytes; the bytes need not be UTF-8.
  ShortText(std::string_view text) {
    while (size_ < kCapacity && size_ < text.size() && text[size_] != '\0') {
      bytes_[size_] = text[size_];
      ++size_;
    }
  }
  ShortText(const char* text) : ShortText(std::string_view(text)) {}

  std::string_view view() const { return {bytes_.data(), size_}; }
  bool empty() const { return size_ == 0; }
  friend bool operator==(const ShortText& a, const ShortText& b) { return a.view() == b.view(); }

private:
  std::array<char, kCapacity> bytes_{};
  std::uint8_t size_ = 0;
};

}  // namespace skbtrail
