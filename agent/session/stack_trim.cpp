#include "session/stack_trim.h"

#include <algorithm>

#include "session/trace_loop.h"

namespace skbtrail {

void trim_stack(PacketEvent& event, const StackUse& use) {
  if (event.stack.empty())
    return;
  const auto traced = std::ranges::find_if(event.stack, [&](const Symbol* frame) {
    return event.function && frame->name == event.function->name && frame->module == event.function->module;
  });
  if (traced != event.stack.end()) {
    if (use.caller && traced + 1 != event.stack.end())
      event.caller = *(traced + 1);
    event.stack.erase(event.stack.begin(), traced);
  }
  if (!use.keep)
    event.stack.clear();
}

}  // namespace skbtrail
