#include "session/stack_trim.h"

#include <catch2/catch.hpp>

#include "session/trace_loop.h"

using namespace skbtrail;

namespace {

// What a kernel stack shows at a hit: the tracing machinery, the traced function, its callers.
struct Stack {
  Symbol trampoline{.name = "bpf_trampoline_6442", .offset = 60, .module = {}};
  Symbol traced{.name = "ip_rcv", .offset = 5, .module = {}};
  Symbol caller{.name = "__netif_receive_skb_one_core", .offset = 137, .module = {}};
  Symbol function{.name = "ip_rcv", .offset = 0, .module = {}};

  PacketEvent event() const {
    PacketEvent event;
    event.function = &function;
    event.stack = {&trampoline, &traced, &caller};
    return event;
  }
};

}  // namespace

TEST_CASE("an event without a stack stays as it is") {
  const Stack stack;
  auto event = stack.event();
  event.stack.clear();
  event.caller = &stack.caller;
  trim_stack(event, {.caller = true, .keep = true});
  CHECK(event.caller == &stack.caller);
}

TEST_CASE("frames of the tracing machinery are no part of a stack") {
  const Stack stack;
  auto event = stack.event();
  trim_stack(event, {.caller = false, .keep = true});
  CHECK(event.stack == std::vector{&stack.traced, &stack.caller});
  CHECK_FALSE(event.caller);
}

TEST_CASE("a caller is the frame behind the traced function, whether or not the stack is shown") {
  const Stack stack;
  auto event = stack.event();
  trim_stack(event, {.caller = true, .keep = false});
  REQUIRE(event.caller);
  CHECK(event.caller->name == "__netif_receive_skb_one_core");
  CHECK(event.stack.empty());
}

TEST_CASE("a stack that ends with the traced function names no caller") {
  const Stack stack;
  auto event = stack.event();
  event.stack.pop_back();
  trim_stack(event, {.caller = true, .keep = true});
  CHECK_FALSE(event.caller);
  CHECK(event.stack.size() == 1);
}

TEST_CASE("a stack without the traced function is shown whole and names no caller") {
  const Stack stack;
  const Symbol other{.name = "ip_rcv", .offset = 0, .module = "somewhere"};
  auto event = stack.event();
  event.function = &other;
  trim_stack(event, {.caller = true, .keep = true});
  CHECK(event.stack.size() == 3);
  CHECK_FALSE(event.caller);
}
