#include "session/session_tally.h"

#include <algorithm>
#include <string>
#include <utility>

#include "sink/normal_end.h"

namespace skbtrail {
namespace {

constexpr PathSummary::Limits kLimits{
    .packets = 2'048,
    .paths = 256,
    .steps_of_packet = 128,
    .steps_of_paths = 8'192,
    .names = 4'096,
    .times = 65'536,
};

std::string_view name_of(PathEnd end) {
  switch (end) {
    case PathEnd::Dropped: return "dropped";
    case PathEnd::Delivered: return "delivered";
    case PathEnd::Consumed: return "consumed";
    case PathEnd::LastSeen: return "last-seen";
  }
  std::abort();
}

}  // namespace

SessionTally::SessionTally(bool with_paths) : with_paths_(with_paths), paths_(kLimits) {}

void SessionTally::accept(const PacketEvent& event) {
  if (with_paths_)
    paths_.add(event);
  if (!event.drop)
    return;
  static const DropReasonName kNone{.name = "NOT_SPECIFIED", .subsystem = "core"};
  const DropReasonName& reason = event.drop->name ? *event.drop->name : kNone;
  std::string place = event.function ? event.function->name : "";
  if (is_normal_end(reason, place))
    return;
  ++drops_;
  std::pair<std::string, std::string> kind{reason.name, std::move(place)};
  if (const auto known = kinds_.find(kind); known != kinds_.end())
    ++known->second;
  else if (kinds_.size() < kMaxKinds)
    kinds_.emplace(std::move(kind), 1);
}

std::vector<TopDrop> SessionTally::top_drops() const {
  std::vector<TopDrop> drops;
  drops.reserve(kinds_.size());
  for (const auto& [kind, count] : kinds_)
    drops.push_back({.reason = kind.first, .function = kind.second, .count = count});
  std::ranges::stable_sort(drops, std::greater{}, &TopDrop::count);
  drops.resize(std::min(drops.size(), NodeStatus::kMaxDrops));
  return drops;
}

std::vector<TopPath> SessionTally::finish_paths() {
  std::vector<TopPath> top;
  if (!with_paths_)
    return top;
  for (const auto* path : paths_.finish()) {
    if (top.size() == NodeStatus::kMaxPaths)
      break;
    TopPath one{.functions = {},
                .packets = path->packets,
                .median_ns = path->total.quantile(0.5),
                .p99_ns = path->total.quantile(0.99),
                .end = std::string(name_of(path->end))};
    const std::size_t first = path->steps.size() - std::min(path->steps.size(), TopPath::kMaxFunctions);
    for (std::size_t at = first; at < path->steps.size(); ++at)
      one.functions.push_back(paths_.name_of(path->steps[at]));
    top.push_back(std::move(one));
  }
  return top;
}

}  // namespace skbtrail
