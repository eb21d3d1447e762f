#include "monitor/top_drops.h"

#include <algorithm>
#include <tuple>

#include "monitor/drop_words.h"

namespace skbtrail {

void TopDrops::take(std::span<const DropRow> growth, const DropNames& names) {
  for (auto& [place, counts] : drops_)
    counts.lately = 0;
  for (const auto& [key, count] : growth) {
    const DropReasonName reason = names.reason(key.reason);
    const std::string location = names.locations->resolve(key.location).name;
    if (is_normal_end(reason, location, key.direction))
      continue;
    const Pod* pod = names
                         .pod({.netns_inum = key.netns_inum,
                               .netns_cookie = key.netns_cookie,
                               .ifindex = key.ifindex,
                               .cgroup_id = 0})
                         .at.pod;
    add({.namespace_name = pod ? pod->namespace_name : "",
         .pod = pod ? pod->name : "",
         .reason = reason.name,
         .subsystem = reason.subsystem,
         .location = location,
         .interface = names.interface(key.netns_inum, key.ifindex)},
        count.packets);
  }
}

void TopDrops::add(const DropPlace& place, std::uint64_t packets) {
  const bool has_room = drops_.size() < kMostPlaces || drops_.contains(place);
  Counts& counts = drops_[has_room ? place : DropPlace{}];
  counts.lately += packets;
  counts.total += packets;
}

std::vector<RankedDrop> TopDrops::worst(std::size_t most) const {
  std::vector<RankedDrop> all;
  all.reserve(drops_.size());
  for (const auto& [place, counts] : drops_)
    all.push_back({place, counts.lately, counts.total});
  std::ranges::stable_sort(all, [](const RankedDrop& left, const RankedDrop& right) {
    return std::tie(left.lately, left.total) > std::tie(right.lately, right.total);
  });
  all.resize(std::min(all.size(), most));
  return all;
}

std::uint64_t TopDrops::lately() const {
  std::uint64_t sum = 0;
  for (const auto& [place, counts] : drops_)
    sum += counts.lately;
  return sum;
}

}  // namespace skbtrail
