#pragma once
// PodWarnings: when what a pod loses is worth an event, and which one comes next. Pure: time is an argument. Bounded in
// pods, in events of one pod and in events of this node. Used by one thread at a time.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>

#include "model/pod_drop.h"

namespace skbtrail {

// What one event says.
struct PodWarning {
  std::string namespace_name = {};
  std::string pod = {};
  std::string uid = {};
  std::string reason = {};
  std::string subsystem = {};
  std::string location = {};  // where most lately
  std::uint64_t packets = 0;
  std::chrono::seconds during{0};  // at least a second
};

class PodWarnings final {
public:
  using Clock = std::chrono::steady_clock;

  // So many packets for one reason, within kWindow, are no accident.
  static constexpr std::uint64_t kLeast = 10;
  static constexpr std::chrono::seconds kWindow{60};
  // Of one pod for one reason there is one event in so long. One that finds no place within it is given up.
  static constexpr std::chrono::minutes kQuiet{10};
  // Of a node: so many at once, then one in so long.
  static constexpr std::size_t kBurst = 5;
  static constexpr std::chrono::seconds kEvery{60};
  // Pairs of pod and reason that are known; drops of further ones are left out.
  static constexpr std::size_t kMost = 1'000;

  // Drops that are worth none are passed over.
  void note(const PodDrop& drop, Clock::time_point now);
  // The one that has waited longest, if this node may have one now. It is told with that.
  std::optional<PodWarning> next(Clock::time_point now);

  // Warnings that found no place in time, and pairs for which there was no room.
  std::uint64_t left_out() const { return left_out_; }

private:
  using Key = std::tuple<std::string, std::string, std::string, std::string>;  // namespace, pod, uid, reason
  struct Losses {
    PodWarning warning;
    Clock::time_point since{};                           // of the packets that are counted here
    std::optional<Clock::time_point> enough_since = {};  // when they became enough
    bool is_told = false;                                // at `since`
  };

  static bool is_due(const Losses& losses, Clock::time_point now);
  void forget(Clock::time_point now);
  bool may_tell(Clock::time_point now);

  std::map<Key, Losses> losses_;
  std::uint64_t left_out_ = 0;
  std::size_t places_ = kBurst;
  Clock::time_point refilled_{};
};

}  // namespace skbtrail
