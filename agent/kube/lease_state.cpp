#include "kube/lease_state.h"

#include <algorithm>
#include <utility>

#include "base/json_value.h"

namespace skbtrail {
namespace {

using nlohmann::json;

// What the API server takes is an int32.
constexpr std::int64_t kMostTransitions = 1'000'000'000;

const json& spec_of(const json& lease) {
  static const json kNone = json::object();
  const auto found = lease.find("spec");
  return found != lease.end() && found->is_object() ? *found : kNone;
}

}  // namespace

void LeaseState::observe(std::optional<json> lease, Clock::time_point now) {
  const bool is_same = lease && lease_ && spec_of(*lease) == spec_of(*lease_);
  if (!is_same)
    seen_at_ = now;
  lease_ = std::move(lease);
  ours_ = ours_ && holder() == me_;
}

void LeaseState::taken(json lease, Clock::time_point asked_at) {
  lease_ = std::move(lease);
  seen_at_ = renewed_at_ = asked_at;
  ours_ = holder() == me_;
}

std::string LeaseState::holder() const {
  if (!lease_)
    return {};
  const auto& spec = spec_of(*lease_);
  const auto found = spec.find("holderIdentity");
  return found != spec.end() && found->is_string() ? found->get<std::string>() : std::string();
}

bool LeaseState::may_take(Clock::time_point now) const {
  const auto held_by = holder();
  return held_by.empty() || held_by == me_ || now - seen_at_ >= times_.duration;
}

bool LeaseState::is_held(Clock::time_point now) const {
  return ours_ && now - renewed_at_ < times_.renew_deadline;
}

json LeaseState::claim(const std::string& name, const std::string& space, const std::string& now_text) const {
  json lease = lease_.value_or(json{{"apiVersion", "coordination.k8s.io/v1"},
                                    {"kind", "Lease"},
                                    {"metadata", {{"name", name}, {"namespace", space}}}});
  const auto old = spec_of(lease);
  const bool is_renewal = holder() == me_;
  const auto changes = std::clamp<std::int64_t>(number_at(old, "leaseTransitions"), 0, kMostTransitions);
  const auto transitions = changes + (is_renewal || !lease_ ? 0 : 1);
  json acquired = is_renewal && old.contains("acquireTime") ? old["acquireTime"] : json(now_text);
  lease["spec"] = {{"holderIdentity", me_},
                   {"leaseDurationSeconds", std::chrono::ceil<std::chrono::seconds>(times_.duration).count()},
                   {"acquireTime", std::move(acquired)},
                   {"renewTime", now_text},
                   {"leaseTransitions", transitions}};
  return lease;
}

json LeaseState::release(const std::string& now_text) const {
  json lease = lease_.value_or(json::object());
  if (!lease["spec"].is_object())
    lease["spec"] = json::object();
  lease["spec"]["holderIdentity"] = "";
  lease["spec"]["leaseDurationSeconds"] = 1;
  lease["spec"]["renewTime"] = now_text;
  return lease;
}

}  // namespace skbtrail
