#include "session/pod_stage.h"

#include <limits>
#include <unordered_set>
#include <utility>

namespace skbtrail {
namespace {

PacketPlace place_of(const PacketEvent& event) {
  return {.netns_inum = event.netns.value_or(0),
          .netns_cookie = event.netns_cookie.value_or(0),
          .ifindex = event.ifindex.value_or(0),
          .cgroup_id = event.cgroup_id.value_or(0)};
}

// Inums have 32 bits and cookies are small numbers too: a bit that neither has keeps them apart.
constexpr std::uint64_t kByInum = 1ULL << 63;

std::uint64_t key_of(const PacketEvent& event) {
  return event.netns_cookie ? *event.netns_cookie : kByInum | event.netns.value_or(0);
}

}  // namespace

PodStage::PodStage(Current current, std::uint32_t host_netns_inum)
    : current_(std::move(current)), host_netns_inum_(host_netns_inum) {}

bool PodStage::refresh() {
  auto newest = current_();
  if (newest == index_)
    return false;
  index_ = std::move(newest);
  looked_ = false;
  return true;
}

bool PodStage::admit(PacketEvent& event, std::span<const std::byte> record, std::uint64_t now_ns) {
  const bool behind_others = !held_.empty() && held_.contains(event.packet);
  if (!behind_others && (name(event) || is_stranger(event, now_ns)))
    return true;
  ++totals_.waited;
  ++held_[event.packet];
  waiting_.push_back({.packet = event.packet, .since_ns = now_ns, .record = {record.begin(), record.end()}});
  return false;
}

// False: the event is in a namespace that the index does not know.
bool PodStage::name(PacketEvent& event) {
  event.source_pod = event.destination_pod = nullptr;
  if (index_ && event.tuple) {
    event.source_pod = index_->by_address(event.tuple->source);
    event.destination_pod = index_->by_address(event.tuple->destination);
  }
  return name_place(event);
}

bool PodStage::name_place(PacketEvent& event) {
  event.pod = {};
  if (!event.netns)
    return true;
  if (!index_)
    return *event.netns == host_netns_inum_;
  const PodFound found = index_->find(place_of(event));
  event.pod = found.at;
  totals_.named += found.answer == PodAnswer::Pod ? 1 : 0;
  return found.answer != PodAnswer::Unknown;
}

bool PodStage::is_stranger(const PacketEvent& event, std::uint64_t now_ns) {
  const std::uint64_t* until = strangers_.find(key_of(event));
  if (!until || now_ns >= *until)
    return false;
  ++totals_.strange;
  return true;
}

void PodStage::remember_stranger(const PacketEvent& event, std::uint64_t now_ns) {
  const auto until = event.netns_cookie ? std::numeric_limits<std::uint64_t>::max()
                                        : now_ns + static_cast<std::uint64_t>(kStrangerFor.count());
  strangers_.find_or_insert(key_of(event)).first = until;
}

bool PodStage::has_waited(const Waiting& one, std::uint64_t now_ns) {
  return now_ns - one.since_ns >= static_cast<std::uint64_t>(kMaxWait.count());
}

bool PodStage::is_worth_a_look(Patience patience, std::uint64_t now_ns) const {
  return !waiting_.empty() && (patience != Patience::Usual || !looked_ || has_waited(waiting_.front(), now_ns));
}

void PodStage::forget(const PacketId& packet) {
  const auto found = held_.find(packet);
  if (found != held_.end() && --found->second == 0)
    held_.erase(found);
}

Result<> PodStage::release(Patience patience, std::uint64_t now_ns, PacketEvent& scratch, const Way& way) {
  if (!is_worth_a_look(patience, now_ns))
    return {};
  looked_ = true;
  std::deque<Waiting> keep;
  std::unordered_set<PacketId, PacketIdHash> kept;
  for (auto& one : std::exchange(waiting_, {})) {
    const bool stays = kept.contains(one.packet);
    if (!stays) {
      TRY(way.decode(one.record, scratch));
      if (may_go(scratch, one, patience, now_ns)) {
        forget(one.packet);
        way.deliver(scratch);
        continue;
      }
      kept.insert(one.packet);
    }
    keep.push_back(std::move(one));
  }
  waiting_ = std::move(keep);
  return {};
}

// Names it if it can be named by now.
bool PodStage::may_go(PacketEvent& event, const Waiting& one, Patience patience, std::uint64_t now_ns) {
  if (name(event) || is_stranger(event, now_ns))
    return true;
  if (has_waited(one, now_ns)) {
    ++totals_.late;
    remember_stranger(event, now_ns);
    return true;
  }
  totals_.crowded += patience == Patience::Crowded ? 1 : 0;
  totals_.late += patience == Patience::Ending ? 1 : 0;
  return patience != Patience::Usual;
}

}  // namespace skbtrail
