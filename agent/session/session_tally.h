#pragma once
// SessionTally: what a session's status says beyond numbers: which drops it saw most, and which ways packets took.

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "model/trace_session.h"
#include "sink/path_summary.h"
#include "sink/sink.h"

namespace skbtrail {

// Used by the session's thread.
class SessionTally final : public Sink {
public:
  // Distinct pairs of reason and function that are counted apart; further ones count as drops only.
  static constexpr std::size_t kMaxKinds = 1024;

  // `with_paths`: keeps the ways of packets, in a few MiB.
  explicit SessionTally(bool with_paths);

  void accept(const PacketEvent& event) override;
  void accept(const LossEvent&) override {}
  Result<> flush() override { return {}; }

  std::uint64_t drops() const { return drops_; }
  std::vector<TopDrop> top_drops() const;
  // Once, at the end: packets that are still on their way end here.
  std::vector<TopPath> finish_paths();

private:
  bool with_paths_;
  std::uint64_t drops_ = 0;
  std::map<std::pair<std::string, std::string>, std::uint64_t, std::less<>> kinds_;  // reason, function
  PathSummary paths_;
};

}  // namespace skbtrail
