#include "monitor/latency_ledger.h"

#include <cmath>
#include <string>

namespace skbtrail {
namespace {

constexpr const char* kStages[LATENCY_STAGES] = {"transmit", "qdisc", "wire", "receive", "socket"};

std::vector<double> bounds() {
  std::vector<double> seconds;
  seconds.reserve(LATENCY_BUCKETS - 1);
  for (int bucket = 0; bucket < LATENCY_BUCKETS - 1; ++bucket)
    seconds.push_back(std::ldexp(1.0, LATENCY_FIRST_BOUND_BITS + 2 * bucket) / 1e9);
  return seconds;
}

HistogramFamily::Description description() {
  return {
      .series = {.name = "skbtrail_path_latency_seconds",
                 .help = "How long packets took, by stage: transmit from TCP to the queueing discipline, qdisc in it, "
                         "wire between the two ends of a virtual link, receive from device to socket, socket until "
                         "it was read. Measured in slices of time.",
                 .labels = {"namespace", "pod", "stage"},
                 .overflowing = {0, 1},
                 .deletable = {0, 1}},
      .bounds = bounds()};
}

HistogramCounts counts_of(const latency_times& times) {
  return {.buckets = {std::begin(times.buckets), std::end(times.buckets)},
          .sum = static_cast<double>(times.sum_ns) / 1e9};
}

}  // namespace

const char* stage_name(latency_stage stage) {
  return kStages[stage];
}

LatencyLedger::LatencyLedger(SeriesBudget& budget) : family_(description(), budget) {}

void LatencyLedger::take(std::span<const LatencyRow> rows, const PodView& pods) {
  for (const auto& [key, times] : rows) {
    if (key.stage >= LATENCY_STAGES)
      continue;
    const auto found =
        pods.find({.netns_inum = key.netns_inum, .netns_cookie = 0, .ifindex = key.ifindex, .cgroup_id = 0});
    // Of a pod that is not known yet, perhaps: the node's own times would be wrong with it.
    if (found.answer == PodAnswer::Unknown)
      continue;
    const bool is_pod = found.answer == PodAnswer::Pod;
    family_.add({is_pod ? found.at.pod->namespace_name : "", is_pod ? found.at.pod->name : "", kStages[key.stage]},
                counts_of(times));
  }
}

void LatencyLedger::name(SeriesNames& names) const {
  family_.for_each([&](const LabelValues& labels, const HistogramCounts&) {
    if (!is_outside_budget(labels) && !labels[1].empty())
      names.pods.emplace(labels[0], labels[1]);
  });
}

void LatencyLedger::forget(const SeriesNames& gone) {
  family_.fold([&](const LabelValues& labels) { return gone.pods.contains({labels[0], labels[1]}); });
}

}  // namespace skbtrail
