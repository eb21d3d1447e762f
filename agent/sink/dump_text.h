#pragma once
// Structs of the kernel as text.

#include "model/dump_form.h"
#include "sink/text_buffer.h"

namespace skbtrail {

// "(struct sk_buff){.len = 84, .cloned = 1, ...}" without the fields that are 0, up to kMaxDump characters; nothing for
// a struct that was not asked for.
inline constexpr std::size_t kMaxDump = 8192;
void put_dump(TextBuffer& out, const Dump& dump);

// "[0x0,0x2a,0x0,0x0,0x0]"
void put_control_words(TextBuffer& out, const ControlWords& words);

}  // namespace skbtrail
