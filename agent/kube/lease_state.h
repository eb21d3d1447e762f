#pragma once
// LeaseState: what a candidate knows of a Lease, and what it may do about it. The rules are those of Kubernetes' own
// components: nobody trusts another machine's clock; a lease has run out when it has not changed for its duration, by
// one's own clock. Pure.

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace skbtrail {

struct LeaseTimes {
  std::chrono::milliseconds duration{15'000};
  std::chrono::milliseconds renew_deadline{10'000};  // a holder that could not renew for so long holds it no more
  std::chrono::milliseconds retry{2'000};
};

class LeaseState final {
public:
  using Clock = std::chrono::steady_clock;

  LeaseState(std::string me, LeaseTimes times) : me_(std::move(me)), times_(times) {}

  // Somebody's, as the API server has it now; none: there is no Lease.
  void observe(std::optional<nlohmann::json> lease, Clock::time_point now);
  // Our own write was taken.
  void taken(nlohmann::json lease, Clock::time_point asked_at);

  bool may_take(Clock::time_point now) const;
  bool is_held(Clock::time_point now) const;
  bool exists() const { return lease_.has_value(); }
  std::string holder() const;

  // The object to write so that it is ours; `now_text` is a time with microseconds. Keeps the version that was seen, so
  // that of two who try one fails.
  nlohmann::json claim(const std::string& name, const std::string& space, const std::string& now_text) const;
  // The object to write so that nobody holds it.
  nlohmann::json release(const std::string& now_text) const;

private:
  std::string me_;
  LeaseTimes times_;
  std::optional<nlohmann::json> lease_;
  Clock::time_point seen_at_{};  // when it was last seen to be different
  Clock::time_point renewed_at_{};
  bool ours_ = false;
};

}  // namespace skbtrail
