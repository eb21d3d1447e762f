#include "monitor/drop_growth.h"

#include <catch2/catch.hpp>

namespace skbtrail {
namespace {

DropRow row(std::uint32_t reason, std::uint64_t packets) {
  DropRow row;
  row.key.reason = reason;
  row.count = {.packets = packets, .bytes = 10 * packets};
  return row;
}

// {reason: packets} that `rows` grew by.
std::map<std::uint32_t, std::uint64_t> grown(DropGrowth& growth, std::vector<DropRow> rows) {
  std::map<std::uint32_t, std::uint64_t> found;
  for (const auto& one : growth.since_last(rows)) {
    CHECK(one.count.bytes == 10 * one.count.packets);
    found[one.key.reason] += one.count.packets;
  }
  return found;
}

using Growth = std::map<std::uint32_t, std::uint64_t>;

TEST_CASE("reading the same table again gives only what is new") {
  DropGrowth growth;
  CHECK(grown(growth, {row(1, 3), row(2, 1)}) == Growth{{1, 3}, {2, 1}});
  CHECK(grown(growth, {row(1, 3), row(2, 1)}).empty());
  CHECK(grown(growth, {row(1, 5), row(2, 1), row(3, 1)}) == Growth{{1, 2}, {3, 1}});
}

TEST_CASE("after an exchange of tables the rows of the new one count from zero") {
  DropGrowth growth;
  CHECK(grown(growth, {row(1, 3)}) == Growth{{1, 3}});
  growth.start_anew();
  CHECK(grown(growth, {row(1, 2)}) == Growth{{1, 2}});
}

}  // namespace
}  // namespace skbtrail
