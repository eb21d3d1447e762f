#include "session/waiting_line.h"

#include <catch2/catch.hpp>
#include <vector>

using namespace skbtrail;

namespace {

// How many of a namespace get in, one after the other, while others have `others` places.
std::size_t share_of(std::size_t most, std::size_t others) {
  std::size_t own = 0;
  while (own < most && may_wait({.most = most, .taken = others + own, .own = own}))
    ++own;
  return own;
}

std::string taken_from(WaitingLine& line, std::optional<std::string> last) {
  std::string names;
  while (const SessionKey* key = line.take_after(last)) {
    names += key->name + " ";
    last = key->namespace_name;
  }
  return names;
}

}  // namespace

TEST_CASE("in a line without places nobody waits, also when its length was cut below what waits") {
  CHECK_FALSE(may_wait({.most = 0, .taken = 0, .own = 0}));
  CHECK_FALSE(may_wait({.most = 3, .taken = 3, .own = 0}));
  CHECK_FALSE(may_wait({.most = 3, .taken = 5, .own = 0}));
}

TEST_CASE("a namespace has a half of the line at most, and one place at least") {
  CHECK(share_of(1, 0) == 1);
  CHECK(share_of(2, 0) == 1);
  CHECK(share_of(3, 0) == 1);
  CHECK(share_of(10, 0) == 5);
  CHECK(share_of(1000, 0) == 500);
  CHECK(share_of(1000, 999) == 1);
}

TEST_CASE("namespaces that come one after the other all find a place, each of them greedy") {
  std::size_t taken = 0;
  for (int spaces = 0; spaces < 9; ++spaces) {
    const std::size_t share = share_of(1000, taken);
    CHECK(share > 0);
    taken += share;
  }
  CHECK(taken < 1000);
}

TEST_CASE("an empty line has nobody next") {
  WaitingLine line;
  CHECK(line.take_after(std::nullopt) == nullptr);
  CHECK(line.take_after("shop") == nullptr);
}

TEST_CASE("namespaces take turns in a circle that begins after the last one, the oldest of each first") {
  const std::vector<SessionKey> keys{{.namespace_name = "a", .name = "a-new"},
                                     {.namespace_name = "a", .name = "a-old"},
                                     {.namespace_name = "c", .name = "c"},
                                     {.namespace_name = "", .name = "cluster"},
                                     {.namespace_name = "b", .name = "b"}};
  const auto line = [&keys] {
    WaitingLine made;
    for (std::uint64_t number = 0; number < keys.size(); ++number)
      made.add(keys[number], keys[number].name == "a-new" ? 9 : number);
    return made;
  };
  auto first = line();
  CHECK(taken_from(first, std::nullopt) == "cluster a-old b c a-new ");
  auto after_a = line();
  CHECK(taken_from(after_a, "a") == "b c cluster a-old a-new ");
  auto after_one_that_is_gone = line();
  CHECK(taken_from(after_one_that_is_gone, "bb") == "c cluster a-old b a-new ");
}
