#include "monitor/histogram_family.h"

#include <catch2/catch.hpp>
#include <cmath>

namespace skbtrail {
namespace {

HistogramFamily::Description description() {
  return {.series = {.name = "took_seconds",
                     .help = "How long it took.",
                     .labels = {"namespace", "pod"},
                     .overflowing = {0, 1},
                     .deletable = {1}},
          .bounds = {0.5, 1}};
}

const HistogramCounts kThree{.buckets = {1, 0, 2}, .sum = 4.5};

TEST_CASE("buckets are cumulative on the page, the last one is of all") {
  SeriesBudget budget;
  HistogramFamily family{description(), budget};
  family.add({"shop", "web-0"}, kThree);
  family.add({"shop", "web-0"}, kThree);
  family.add({"shop", "web-1"}, {.buckets = {0, 0, 0}, .sum = 0});
  const auto page = family.metrics();
  REQUIRE(page.metric.size() == 1);
  const auto& histogram = page.metric[0].histogram;
  REQUIRE(histogram.bucket.size() == 3);
  CHECK(histogram.bucket[0].cumulative_count == 2);
  CHECK(histogram.bucket[1].cumulative_count == 2);
  CHECK(histogram.bucket[2].cumulative_count == 6);
  CHECK(histogram.bucket[1].upper_bound == 1);
  CHECK(std::isinf(histogram.bucket[2].upper_bound));
  CHECK(histogram.sample_count == 6);
  CHECK(histogram.sample_sum == 9);
  CHECK(page.metric[0].label[1].value == "web-0");
}

TEST_CASE("a histogram takes as much room as it has lines, and what finds none is in one together") {
  SeriesBudget budget{.limit = 19, .used = 0};
  HistogramFamily family{description(), budget};
  family.add({"shop", "a"}, kThree);
  CHECK(budget.used == 5);
  family.add({"shop", "b"}, kThree);
  family.add({"shop", "c"}, kThree);
  CHECK(budget.used == 5);
  CHECK(family.capped() == 2);
  std::map<LabelValues, std::uint64_t> counts;
  family.for_each([&](const LabelValues& labels, const HistogramCounts& one) { counts[labels] = one.count(); });
  CHECK(counts == std::map<LabelValues, std::uint64_t>{{{"__overflow__", "__overflow__"}, 6}, {{"shop", "a"}, 3}});
}

TEST_CASE("counters that have taken the room leave none") {
  SeriesBudget budget{.limit = 100, .used = 96};
  HistogramFamily family{description(), budget};
  family.add({"shop", "a"}, kThree);
  CHECK(budget.used == 96);
  CHECK(family.capped() == 1);
}

TEST_CASE("what is deleted is folded: nothing is taken back, and its room is free again") {
  SeriesBudget budget;
  HistogramFamily family{description(), budget};
  family.add({"shop", "a"}, kThree);
  family.add({"shop", "b"}, kThree);
  const auto is_a = [](const LabelValues& labels) { return labels[1] == "a"; };
  family.fold(is_a);
  family.add({"shop", "a"}, kThree);
  family.fold(is_a);
  CHECK(budget.used == 5);
  std::map<LabelValues, std::uint64_t> counts;
  family.for_each([&](const LabelValues& labels, const HistogramCounts& one) { counts[labels] = one.count(); });
  CHECK(counts == std::map<LabelValues, std::uint64_t>{{{"shop", "__deleted__"}, 6}, {{"shop", "b"}, 3}});
}

}  // namespace
}  // namespace skbtrail
