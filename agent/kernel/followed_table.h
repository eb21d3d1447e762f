#pragma once
// FollowedTable: removes packets from the tracer's table that nobody will end: freed on a path that shows no
// function, or kept for long. Without it such entries would fill the table and could meet another packet.

#include <chrono>
#include <cstdint>

#include "base/result.h"
#include "kernel/tracer_object.h"

struct trace_followed;

namespace skbtrail {

class FollowedTable final {
public:
  // A packet that is not seen for so long is no longer followed.
  static constexpr std::chrono::seconds kMaxSilence{60};
  // A head that was given up and whose skb did not end in kfree_skbmem() went to a cache of skbs.
  static constexpr std::chrono::seconds kMaxDying{1};

  enum class Verdict {
    Keep,
    GoneUnseen,  // the packet ended where no function showed it
    Silent,      // lost from sight
  };
  static Verdict judge(const trace_followed& entry, std::uint64_t now_ns);

  explicit FollowedTable(TracerObject& tracer) : tracer_(tracer) {}

  // `now_ns` is CLOCK_MONOTONIC. Returns how many were removed because of silence: packets lost from sight.
  Result<std::uint64_t> age(std::uint64_t now_ns);

private:
  TracerObject& tracer_;
};

}  // namespace skbtrail
