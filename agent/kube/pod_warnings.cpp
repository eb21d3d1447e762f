#include "kube/pod_warnings.h"

#include <algorithm>

#include "kube/warning_reasons.h"

namespace skbtrail {

void PodWarnings::note(const PodDrop& drop, Clock::time_point now) {
  if (!is_worth_warning(drop.subsystem, drop.reason))
    return;
  const Key key{drop.pod.namespace_name, drop.pod.name, drop.pod.uid, drop.reason};
  auto known = losses_.find(key);
  if (known == losses_.end()) {
    if (losses_.size() >= kMost)
      forget(now);
    if (losses_.size() >= kMost) {
      ++left_out_;
      return;
    }
    known = losses_
                .emplace(key, Losses{.warning = {.namespace_name = drop.pod.namespace_name,
                                                 .pod = drop.pod.name,
                                                 .uid = drop.pod.uid,
                                                 .reason = drop.reason,
                                                 .subsystem = drop.subsystem},
                                     .since = now})
                .first;
  }
  auto& losses = known->second;
  const bool is_stale = !losses.is_told && !losses.enough_since && now - losses.since > kWindow;
  if (is_stale) {
    losses.since = now;
    losses.warning.packets = 0;
  }
  losses.warning.packets += drop.packets;
  losses.warning.location = drop.location;
  if (!losses.enough_since && losses.warning.packets >= kLeast)
    losses.enough_since = now;
}

// What was told is told again only after its quiet time, with all that came meanwhile.
bool PodWarnings::is_due(const Losses& losses, Clock::time_point now) {
  return losses.enough_since && (!losses.is_told || now - losses.since >= kQuiet);
}

// What came to nothing, and what has waited for a place in vain.
void PodWarnings::forget(Clock::time_point now) {
  std::erase_if(losses_, [&](const auto& one) {
    const Losses& losses = one.second;
    const auto bound = losses.is_told ? kQuiet : std::chrono::seconds(kWindow);
    if (!losses.enough_since)
      return now - losses.since > bound;
    const auto due_since =
        losses.is_told ? std::max(losses.since + kQuiet, *losses.enough_since) : *losses.enough_since;
    const bool is_in_vain = now - due_since > kQuiet;
    left_out_ += is_in_vain ? 1 : 0;
    return is_in_vain;
  });
}

bool PodWarnings::may_tell(Clock::time_point now) {
  if (places_ == kBurst)
    refilled_ = now;
  const auto more = (now - refilled_) / kEvery;
  places_ = std::min<std::size_t>(kBurst, places_ + static_cast<std::size_t>(more));
  refilled_ += more * kEvery;
  return places_ > 0;
}

std::optional<PodWarning> PodWarnings::next(Clock::time_point now) {
  forget(now);
  if (!may_tell(now))
    return std::nullopt;
  Losses* first = nullptr;
  for (auto& [key, losses] : losses_)
    if (is_due(losses, now) && (!first || *losses.enough_since < *first->enough_since))
      first = &losses;
  if (!first)
    return std::nullopt;
  --places_;
  PodWarning warning = first->warning;
  warning.during = std::max(std::chrono::seconds(1), std::chrono::ceil<std::chrono::seconds>(now - first->since));
  first->warning.packets = 0;
  first->since = now;
  first->enough_since.reset();
  first->is_told = true;
  return warning;
}

}  // namespace skbtrail
