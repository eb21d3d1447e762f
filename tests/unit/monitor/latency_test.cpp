#include <catch2/catch.hpp>
#include <map>

#include "monitor/latency_ledger.h"
#include "monitor/slice_schedule.h"

namespace skbtrail {
namespace {

using std::chrono::milliseconds;

class OnePod final : public PodView {
public:
  PodFound find(const PacketPlace& place) const override {
    if (place.ifindex == 9)
      return {.answer = PodAnswer::Pod, .at = {&pod_, PodSide::Host}};
    return {.answer = place.ifindex == 7 ? PodAnswer::Unknown : PodAnswer::Host, .at = {}};
  }
  bool exists(const std::string&, const std::string&) const override { return true; }
  std::size_t count() const override { return 1; }
  bool is_fresh() const override { return true; }

private:
  Pod pod_{.namespace_name = "shop", .name = "web-0", .uid = "1"};
};

LatencyRow row(std::uint32_t ifindex, std::uint32_t stage, std::size_t bucket) {
  LatencyRow made{.key = {.netns_inum = 1, .ifindex = ifindex, .stage = stage}, .times = {}};
  made.times.buckets[bucket] = 2;
  made.times.sum_ns = 3'000'000'000;
  return made;
}

TEST_CASE("times are of the pod whose interface it is, of the node at its own, and of nobody where nothing is known") {
  SeriesBudget budget;
  LatencyLedger ledger{budget};
  const std::vector rows{row(9, LATENCY_SOCKET, 0), row(8, LATENCY_QDISC, LATENCY_BUCKETS - 1), row(9, 77, 0),
                         row(7, LATENCY_QDISC, 0)};
  ledger.take(rows, OnePod{});
  std::map<LabelValues, double> sums;
  ledger.family().for_each([&](const LabelValues& labels, const HistogramCounts& one) { sums[labels] = one.sum; });
  CHECK(sums == std::map<LabelValues, double>{{{"", "", "qdisc"}, 3}, {{"shop", "web-0", "socket"}, 3}});
  SeriesNames named;
  ledger.name(named);
  CHECK(named.pods == std::set<PodLabels>{{"shop", "web-0"}});
}

TEST_CASE("the bounds are those of the kernel's buckets") {
  SeriesBudget budget;
  LatencyLedger ledger{budget};
  const std::vector rows{row(9, LATENCY_SOCKET, 0)};
  ledger.take(rows, OnePod{});
  const auto page = ledger.family().metrics();
  REQUIRE(page.metric[0].histogram.bucket.size() == LATENCY_BUCKETS);
  CHECK(page.metric[0].histogram.bucket[0].upper_bound == Approx(1.024e-6));
  CHECK(page.metric[0].histogram.bucket[LATENCY_BUCKETS - 2].upper_bound == Approx(4.294967296));
}

std::size_t slices_in(const SliceSchedule& schedule, milliseconds span, milliseconds& on) {
  std::set<std::int64_t> slices;
  on = {};
  for (milliseconds at{}; at < span; at += milliseconds(10))
    if (const auto slice = schedule.slice_at(SliceSchedule::Time{at})) {
      slices.insert(*slice);
      on += milliseconds(10);
    }
  return slices.size();
}

TEST_CASE("packets are timed for their share of each period") {
  milliseconds on{};
  CHECK(slices_in(SliceSchedule{10, "n1"}, SliceSchedule::kPeriod * 10, on) >= 10);
  CHECK(on == SliceSchedule::kPeriod);
  CHECK(slices_in(SliceSchedule{0, "n1"}, SliceSchedule::kPeriod * 10, on) == 0);
  CHECK(slices_in(SliceSchedule{100, "n1"}, SliceSchedule::kPeriod * 10, on) >= 10);
  CHECK(on == SliceSchedule::kPeriod * 10);
}

TEST_CASE("nodes are not in step") {
  std::set<std::int64_t> begins;
  for (int node = 0; node < 20; ++node) {
    const SliceSchedule schedule{10, "node-" + std::to_string(node)};
    for (milliseconds at{}; at < SliceSchedule::kPeriod; at += milliseconds(10))
      if (schedule.slice_at(SliceSchedule::Time{at})) {
        begins.insert(at.count() / 1000);
        break;
      }
  }
  CHECK(begins.size() > 3);
}

}  // namespace
}  // namespace skbtrail
