#include "sink/drop_reason_text.h"

#include <algorithm>
#include <tuple>

namespace skbtrail {

namespace {

constexpr DropReasonText kTexts[] = {
#include "sink/drop_reason_text.inc"
};

std::string_view meaning_in(std::string_view subsystem) {
  if (subsystem.starts_with("mac80211"))
    return "the wireless stack dropped it";
  if (subsystem == "openvswitch")
    return "Open vSwitch dropped it";
  return "the kernel dropped it for a reason that is newer than this list";
}

}  // namespace

std::span<const DropReasonText> drop_reason_texts() {
  return kTexts;
}

DropReasonText explain_drop(std::string_view subsystem, std::string_view reason) {
  if (reason.empty())
    return {.subsystem = subsystem,
            .reason = reason,
            .meaning = "the kernel dropped it here and is too old to say why (reasons exist from Linux 5.17)",
            .check = "the function before this one and the stack (--output-stack) usually tell"};
  const auto found = std::ranges::lower_bound(kTexts, std::tie(subsystem, reason), {}, [](const DropReasonText& row) {
    return std::tie(row.subsystem, row.reason);
  });
  if (found != std::end(kTexts) && found->subsystem == subsystem && found->reason == reason)
    return *found;
  return {.subsystem = subsystem,
          .reason = reason,
          .meaning = meaning_in(subsystem),
          .check = "the location and the stack (--output-stack); include/net/dropreason*.h of this kernel says more"};
}

}  // namespace skbtrail
