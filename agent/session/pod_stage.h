#pragma once
// PodStage: puts pods on events, by the newest index. An event from a network namespace that the index does not know
// yet waits here for it, with all later events of its packet behind it, since a pod's first packets may be faster than
// what tells of the pod.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/lru_map.h"
#include "base/result.h"
#include "model/packet_event.h"
#include "model/packet_id_hash.h"
#include "model/pod_totals.h"
#include "pods/pod_index.h"

namespace skbtrail {

// Used by the thread of the trace. Pods on events live until the next refresh().
class PodStage final {
public:
  static constexpr std::chrono::nanoseconds kMaxWait = std::chrono::milliseconds(500);
  // Before there is an index: a runtime that is busy takes seconds to answer for the first time.
  static constexpr std::chrono::nanoseconds kMaxWaitForIndex = std::chrono::seconds(5);
  // In a namespace in which a pod is on its way: between its network and the runtime's word of it lies the start of its
  // sandbox, which takes a tenth of a second on an idle node and seconds on a busy one.
  static constexpr std::chrono::nanoseconds kMaxWaitForPod = std::chrono::seconds(30);
  // Between two looks at all that wait, with the same index.
  static constexpr std::chrono::nanoseconds kBetweenLooks = std::chrono::milliseconds(20);
  // Records that wait at once: with their stacks 4 MiB.
  static constexpr std::size_t kMaxWaiting = 8192;
  // Namespaces, and links of the node, that turned out to be no pod's: their events need not wait again.
  static constexpr std::size_t kMaxStrangers = 4096;
  // So long, since another namespace may get the same number; its cookie, where there is one, nobody gets again.
  static constexpr std::chrono::nanoseconds kStrangerFor = std::chrono::seconds(10);
  // The index of an interface is not given again soon.
  static constexpr std::chrono::nanoseconds kStrangeLinkFor = std::chrono::minutes(5);

  // The newest index, null before there is one; must be quick.
  using Current = std::function<std::shared_ptr<const PodIndex>()>;

  PodStage(Current current, std::uint32_t host_netns_inum);

  // Takes over the newest index. True: it is another one than before.
  bool refresh();
  // Null: there is none yet.
  const std::shared_ptr<const PodIndex>& index() const { return index_; }

  // Names what the event is about. False: it waits, as `record`, and comes back by release().
  bool admit(PacketEvent& event, std::span<const std::byte> record, std::uint64_t now_ns);

  // Then release() with Patience::Crowded comes before the next admit().
  bool is_full() const { return waiting_.size() >= kMaxWaiting; }
  bool is_empty() const { return waiting_.empty(); }

  enum class Patience : std::uint8_t {
    Usual,    // what has a name now, and what has waited long enough
    Crowded,  // everything: there is no more room
    Ending,   // everything: the trace ends
  };
  // What a record becomes again, and where it goes.
  struct Way {
    std::function<Result<>(std::span<const std::byte>, PacketEvent&)> decode;
    std::function<void(PacketEvent&)> deliver;
  };
  // Lets out, in the order in which they came, those that need not wait any longer; `scratch` is overwritten.
  Result<> release(Patience patience, std::uint64_t now_ns, PacketEvent& scratch, const Way& way);

  const PodTotals& totals() const { return totals_; }

private:
  struct Waiting {
    PacketId packet;
    std::uint64_t since_ns = 0;
    std::vector<std::byte> record;
  };

  bool name(PacketEvent& event);
  bool name_place(PacketEvent& event);
  bool is_of_host(const PacketEvent& event) const { return event.netns == host_netns_inum_; }
  std::uint64_t stranger_key(const PacketEvent& event) const;
  bool is_stranger(const PacketEvent& event, std::uint64_t now_ns);
  void remember_stranger(const PacketEvent& event, std::uint64_t now_ns);
  bool may_go(PacketEvent& event, const Waiting& one, Patience patience, std::uint64_t now_ns);
  std::chrono::nanoseconds longest_wait(const PacketEvent& event) const;
  static bool has_waited(const Waiting& one, std::uint64_t now_ns, std::chrono::nanoseconds longest = kMaxWait);
  bool is_worth_a_look(Patience patience, std::uint64_t now_ns) const;
  void forget(const PacketId& packet);

  Current current_;
  std::uint32_t host_netns_inum_;
  std::shared_ptr<const PodIndex> index_;
  bool looked_ = false;  // at all that wait, with this index
  std::uint64_t looked_ns_ = 0;
  std::deque<Waiting> waiting_;
  std::unordered_map<PacketId, std::size_t, PacketIdHash> held_;   // records that wait, by packet
  LruMap<std::uint64_t, std::uint64_t> strangers_{kMaxStrangers};  // cookie, inum or link -> until when, ns
  PodTotals totals_;
};

}  // namespace skbtrail
