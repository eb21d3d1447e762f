#include "kernel/followed_table.h"

#include <linux/types.h>

#include <catch2/catch.hpp>

#include "trace_abi.h"

using namespace skbtrail;

namespace {

using Verdict = FollowedTable::Verdict;
constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kSeen = 1000 * kSecond;

trace_followed seen_at(std::uint64_t time_ns, std::uint64_t dying_skb = 0) {
  trace_followed entry{};
  entry.born_ns = time_ns - kSecond;
  entry.last_ns = time_ns;
  entry.dying_skb = dying_skb;
  return entry;
}

}  // namespace

TEST_CASE("a packet seen after the clock was read is not old") {
  CHECK(FollowedTable::judge(seen_at(kSeen), kSeen - 1) == Verdict::Keep);
  CHECK(FollowedTable::judge(seen_at(kSeen, 1), kSeen - 100 * kSecond) == Verdict::Keep);
}

TEST_CASE("a packet is lost from sight after a minute without a hit, however old it is") {
  auto entry = seen_at(kSeen);
  entry.born_ns = 1;
  CHECK(FollowedTable::judge(entry, kSeen + 60 * kSecond - 1) == Verdict::Keep);
  CHECK(FollowedTable::judge(entry, kSeen + 60 * kSecond) == Verdict::Silent);
}

TEST_CASE("what gave its head up and went out of sight makes room after a second, and is no loss") {
  const auto entry = seen_at(kSeen, 0xffff888101234500);
  CHECK(FollowedTable::judge(entry, kSeen + kSecond - 1) == Verdict::Keep);
  CHECK(FollowedTable::judge(entry, kSeen + kSecond) == Verdict::GoneUnseen);
  CHECK(FollowedTable::judge(entry, kSeen + 3600 * kSecond) == Verdict::GoneUnseen);
}
