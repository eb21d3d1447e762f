#pragma once
// TextBuffer: grows, appends, never shrinks. The hot path of every sink that writes text.

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

namespace skbtrail {

class TextBuffer final {
public:
  explicit TextBuffer(std::size_t capacity = 4096)
      : bytes_(std::make_unique_for_overwrite<char[]>(capacity)), capacity_(capacity) {}

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  std::string_view view() const { return {bytes_.get(), size_}; }
  // Forgets what stands behind the first `size` bytes.
  void truncate(std::size_t size) { size_ = size; }
  void clear() { size_ = 0; }

  void put(char character) {
    room(1);
    bytes_[size_++] = character;
  }

  void put(std::string_view text) {
    room(text.size());
    // Also takes an empty view of nothing, unlike memcpy().
    size_ += text.copy(bytes_.get() + size_, text.size());
  }

  // A literal, whose length the compiler knows: copied where it is called.
  template <std::size_t Size>
  void put(const char (&literal)[Size]) {
    room(Size - 1);
    std::memcpy(bytes_.get() + size_, literal, Size - 1);
    size_ += Size - 1;
  }

  void put_dec(std::uint64_t number) { put_number<10>(number); }
  void put_hex(std::uint64_t number) { put_number<16>(number); }

  // Exactly `digits` digits, zeros in front; higher digits of `number` are cut.
  void put_hex(std::uint64_t number, std::size_t digits) {
    room(digits);
    for (std::size_t at = digits; at-- > 0; number >>= 4)
      bytes_[size_ + at] = "0123456789abcdef"[number & 15];
    size_ += digits;
  }
  void put_dec(std::uint64_t number, std::size_t digits) {
    room(digits);
    for (std::size_t at = digits; at-- > 0; number /= 10)
      bytes_[size_ + at] = static_cast<char>('0' + number % 10);
    size_ += digits;
  }

  void put_spaces(std::size_t count) {
    room(count);
    std::memset(bytes_.get() + size_, ' ', count);
    size_ += count;
  }

private:
  template <int Base>
  void put_number(std::uint64_t number) {
    constexpr std::size_t kLongest = 20;
    room(kLongest);
    char* const end = bytes_.get() + size_;
    size_ += static_cast<std::size_t>(std::to_chars(end, end + kLongest, number, Base).ptr - end);
  }

  void room(std::size_t more) {
    if (capacity_ - size_ < more) [[unlikely]]
      grow(more);
  }

  void grow(std::size_t more) {
    const std::size_t capacity = 2 * capacity_ + more;
    auto bytes = std::make_unique_for_overwrite<char[]>(capacity);
    std::memcpy(bytes.get(), bytes_.get(), size_);
    bytes_ = std::move(bytes);
    capacity_ = capacity;
  }

  std::unique_ptr<char[]> bytes_;
  std::size_t capacity_;
  std::size_t size_ = 0;
};

}  // namespace skbtrail
