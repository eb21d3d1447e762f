#pragma once
// KubeAuthorizer: the API server says who asks and whether he may, for those who come to REST with a token of the
// cluster.

#include "api/authorizer.h"
#include "kube/access_review.h"

namespace skbtrail {

class KubeAuthorizer final : public Authorizer {
public:
  // `review` outlives this.
  explicit KubeAuthorizer(AccessReview& review) : review_(review) {}

  Result<Identity> identify(const Caller& caller) override;
  Result<> permit(const Identity& identity, const Access& access) override;

private:
  AccessReview& review_;
};

}  // namespace skbtrail
