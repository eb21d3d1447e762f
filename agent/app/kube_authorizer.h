#pragma once
// KubeAuthorizer: the API server says who asks and whether he may, for those who come to REST with a token of the
// cluster.

#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "api/authorizer.h"
#include "base/log_level.h"
#include "kube/access_review.h"

namespace skbtrail {

class KubeAuthorizer final : public Authorizer {
public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kLogEvery{60};

  // `review` outlives this. `log` hears what the API server says when it cannot be asked: those who ask get none of it.
  KubeAuthorizer(AccessReview& review, Teller log) : review_(review), log_(std::move(log)) {}

  Result<Identity> identify(const Caller& caller) override;
  Result<> permit(const Identity& identity, const Access& access) override;

private:
  Error cannot_judge(const Error& why);

  AccessReview& review_;
  Teller log_;
  std::mutex mutex_;
  std::optional<Clock::time_point> logged_at_;
};

}  // namespace skbtrail
