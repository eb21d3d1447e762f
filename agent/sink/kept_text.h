#pragma once
// KeptText: what was written last, for as long as it is to be written again. Most of what is said of a packet at one
// function is said of it at the next.

#include <cstddef>
#include <string>

#include "sink/text_buffer.h"

namespace skbtrail {

// `Key` is all that the text depends on. Used by one thread.
template <class Key>
class KeptText final {
public:
  // Appends the text of `key`: a copy of the last one, or what `write` appends. It must not be empty.
  template <class Write>
  void put(TextBuffer& out, const Key& key, Write write) {
    if (!text_.empty() && key == key_)
      return out.put(text_);
    const std::size_t start = out.size();
    write();
    text_ = out.view().substr(start);
    key_ = key;
  }

private:
  Key key_{};
  std::string text_;
};

}  // namespace skbtrail
