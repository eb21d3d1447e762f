#include "pods/interface_memory.h"

#include <catch2/catch.hpp>

using namespace skbtrail;
using namespace std::chrono_literals;

namespace {

const std::chrono::steady_clock::time_point kNow{1h};

Interface an_interface(std::uint32_t ifindex, std::uint32_t link = 2) {
  return {.netns_inum = 1, .ifindex = ifindex, .name = "veth" + std::to_string(ifindex), .link_ifindex = link};
}

}  // namespace

TEST_CASE("an interface that is gone stays known for a minute") {
  InterfaceMemory memory;
  memory.set({an_interface(5), an_interface(6)}, kNow);
  memory.set({an_interface(6)}, kNow + 1s);
  CHECK(memory.all().size() == 2);
  CHECK_FALSE(memory.expire(kNow + 60s));
  CHECK(memory.expire(kNow + 61s));
  CHECK(memory.all().size() == 1);
}

TEST_CASE("an index that is used again is that of the new interface") {
  InterfaceMemory memory;
  memory.set({an_interface(5, 2)}, kNow);
  memory.set({}, kNow);
  memory.set({an_interface(5, 9)}, kNow);
  REQUIRE(memory.all().size() == 1);
  CHECK(memory.all()[0].link_ifindex == 9);
}

TEST_CASE("an interface that leads nowhere is forgotten at once, and there is a bound for the others") {
  InterfaceMemory memory;
  memory.set({an_interface(5, 0)}, kNow);
  memory.set({}, kNow);
  CHECK(memory.all().empty());
  std::vector<Interface> many;
  for (std::uint32_t i = 1; i < 6'000; ++i)
    many.push_back(an_interface(i));
  memory.set(many, kNow);
  memory.set({}, kNow);
  CHECK(memory.all().size() == InterfaceMemory::kMaxGone);
}
