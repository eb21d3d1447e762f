#pragma once
// KubeAuthorizer: the API server says who asks and whether he may, for those who come to REST with a token of the
// cluster.

#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "api/authorizer.h"
#include "kube/access_review.h"

namespace skbtrail {

class KubeAuthorizer final : public Authorizer {
public:
  using Clock = std::chrono::steady_clock;
  // Of what the API server says when it cannot be asked: those who ask get none of it.
  using Log = std::function<void(const std::string&)>;
  static constexpr std::chrono::seconds kLogEvery{60};

  // `review` outlives this. `log`: by any thread.
  KubeAuthorizer(AccessReview& review, Log log) : review_(review), log_(std::move(log)) {}

  Result<Identity> identify(const Caller& caller) override;
  Result<> permit(const Identity& identity, const Access& access) override;

private:
  Error cannot_judge(const Error& why);

  AccessReview& review_;
  Log log_;
  std::mutex mutex_;
  std::optional<Clock::time_point> logged_at_;
};

}  // namespace skbtrail
