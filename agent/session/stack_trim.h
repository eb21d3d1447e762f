#pragma once
// trim_stack: cuts off what a backend puts in front of the traced function (its trampoline, our own program) and takes
// the caller from what remains. Pure.

#include "model/packet_event.h"

namespace skbtrail {

struct StackUse;

void trim_stack(PacketEvent& event, const StackUse& use);

}  // namespace skbtrail
