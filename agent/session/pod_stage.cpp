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

// Inums and indices have 32 bits and cookies are small numbers too: bits that none has keep them apart.
constexpr std::uint64_t kByInum = 1ULL << 63;
constexpr std::uint64_t kByLink = 1ULL << 62;

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
  return found.answer == PodAnswer::Host ? index_->is_settled(place_of(event)) : found.answer != PodAnswer::Unknown;
}

// The host itself is no stranger, but a link of it may lead to one.
std::uint64_t PodStage::stranger_key(const PacketEvent& event) const {
  if (is_of_host(event))
    return kByLink | event.ifindex.value_or(0);
  return event.netns_cookie ? *event.netns_cookie : kByInum | event.netns.value_or(0);
}

bool PodStage::is_stranger(const PacketEvent& event, std::uint64_t now_ns) {
  const std::uint64_t* until = strangers_.find(stranger_key(event));
  if (!until || now_ns >= *until || (index_ && !is_of_host(event) && index_->is_awaited(place_of(event))))
    return false;
  totals_.strange += is_of_host(event) ? 0 : 1;
  return true;
}

void PodStage::remember_stranger(const PacketEvent& event, std::uint64_t now_ns) {
  const auto lasts = is_of_host(event) ? kStrangeLinkFor : kStrangerFor;
  const auto until = event.netns_cookie && !is_of_host(event) ? std::numeric_limits<std::uint64_t>::max()
                                                              : now_ns + static_cast<std::uint64_t>(lasts.count());
  strangers_.find_or_insert(stranger_key(event)).first = until;
}

std::chrono::nanoseconds PodStage::longest_wait(const PacketEvent& event) const {
  if (!index_)
    return kMaxWaitForIndex;
  return index_->is_awaited(place_of(event)) ? kMaxWaitForPod : kMaxWait;
}

bool PodStage::has_waited(const Waiting& one, std::uint64_t now_ns, std::chrono::nanoseconds longest) {
  return now_ns - one.since_ns >= static_cast<std::uint64_t>(longest.count());
}

bool PodStage::is_worth_a_look(Patience patience, std::uint64_t now_ns) const {
  if (waiting_.empty() || patience != Patience::Usual || !looked_)
    return !waiting_.empty();
  const Waiting& oldest = waiting_.front();
  if (!has_waited(oldest, now_ns))
    return false;
  // One that stays when its time is up waits for a pod, and others behind it do not: a look from time to time.
  const bool stayed = looked_ns_ > oldest.since_ns && has_waited(oldest, looked_ns_);
  return !stayed || now_ns - looked_ns_ >= static_cast<std::uint64_t>(kBetweenLooks.count());
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
  looked_ns_ = now_ns;
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
  // The node's own are what they are, whether or not a pod is behind the link.
  const std::uint64_t missed = is_of_host(event) ? 0 : 1;
  if (has_waited(one, now_ns, longest_wait(event))) {
    totals_.late += missed;
    remember_stranger(event, now_ns);
    return true;
  }
  totals_.crowded += patience == Patience::Crowded ? missed : 0;
  totals_.late += patience == Patience::Ending ? missed : 0;
  return patience != Patience::Usual;
}

}  // namespace skbtrail
