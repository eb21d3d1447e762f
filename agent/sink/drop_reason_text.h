#pragma once
// What a drop reason means and what to do about it, in words. The rows are data: drop_reason_text.inc.

#include <span>
#include <string_view>

namespace skbtrail {

struct DropReasonText {
  std::string_view subsystem;
  std::string_view reason;
  std::string_view meaning;  // half a sentence: "no process listens on this address and port"
  std::string_view check;    // what to look at next
};

// Sorted by subsystem and reason.
std::span<const DropReasonText> drop_reason_texts();

// Total: a reason that is not in the rows gets what can be said in general. `reason` is empty when the kernel gave
// none (before 5.17).
DropReasonText explain_drop(std::string_view subsystem, std::string_view reason);

}  // namespace skbtrail
