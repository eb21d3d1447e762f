#include "monitor/counter_family.h"

#include <catch2/catch.hpp>

namespace skbtrail {
namespace {

CounterFamily two_labels(SeriesBudget& budget) {
  return CounterFamily{
      {.name = "c_total", .help = "C.", .labels = {"pod", "reason"}, .overflowing = {0}, .deletable = {0}}, budget};
}

std::uint64_t value_of(const CounterFamily& family, const LabelValues& wanted) {
  std::uint64_t found = 0;
  family.for_each([&](const LabelValues& labels, std::uint64_t value) {
    if (labels == wanted)
      found = value;
  });
  return found;
}

TEST_CASE("nothing added makes no series") {
  SeriesBudget budget;
  auto family = two_labels(budget);
  family.add({"a", "r"}, 0);
  CHECK(family.size() == 0);
  CHECK(budget.used == 0);
}

TEST_CASE("beyond the limit what is added goes to the overflow series, and what exists goes on") {
  SeriesBudget budget{.limit = 2, .used = 0};
  auto family = two_labels(budget);
  family.add({"a", "r"}, 1);
  family.add({"b", "r"}, 2);
  family.add({"c", "r"}, 4);
  family.add({"d", "r"}, 8);
  family.add({"a", "r"}, 16);
  CHECK(value_of(family, {"a", "r"}) == 17);
  CHECK(value_of(family, {"__overflow__", "r"}) == 12);
  CHECK(family.capped() == 2);
  CHECK(family.sum() == 31);
  CHECK(budget.used == 2);
}

TEST_CASE("what is deleted is folded: the sum stays, its room is free again") {
  SeriesBudget budget{.limit = 2, .used = 0};
  auto family = two_labels(budget);
  family.add({"a", "r"}, 1);
  family.add({"b", "r"}, 2);
  const auto is_a = [](const LabelValues& labels) { return labels[0] == "a"; };
  family.fold(is_a);
  CHECK(family.sum() == 3);
  CHECK(value_of(family, {"a", "r"}) == 0);
  CHECK(value_of(family, {"__deleted__", "r"}) == 1);
  CHECK(budget.used == 1);
  family.add({"a", "r"}, 4);
  family.fold(is_a);
  CHECK(value_of(family, {"__deleted__", "r"}) == 5);
  CHECK(family.size() == 2);
}

TEST_CASE("what is deleted can be folded further, and what lives on cannot") {
  SeriesBudget budget{.limit = 10, .used = 0};
  CounterFamily family{
      {.name = "drops", .help = "", .labels = {"namespace", "pod"}, .overflowing = {0, 1}, .deletable = {1}}, budget};
  for (const auto& labels :
       {LabelValues{"shop", "a"}, LabelValues{"shop", "b"}, LabelValues{"test-1", "c"}, LabelValues{"test-2", "d"}})
    family.add(labels, 1);
  family.fold([](const LabelValues& labels) { return labels[1] != "b"; });
  family.fold_deleted(0, {"test-1", "test-2", "shop"});
  CHECK(value_of(family, {"__deleted__", "__deleted__"}) == 3);
  CHECK(value_of(family, {"shop", "b"}) == 1);
  CHECK(family.size() == 2);
  CHECK(family.sum() == 4);
  family.fold_deleted(0, {"__deleted__"});
  CHECK(family.sum() == 4);
  CHECK(budget.used == 1);
}

}  // namespace
}  // namespace skbtrail
