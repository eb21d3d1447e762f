#pragma once
// PeerAuthorizer: of a unix socket. Root and the user that the agent runs as may do everything, all others nothing.

#include "api/authorizer.h"

namespace skbtrail {

class PeerAuthorizer final : public Authorizer {
public:
  // `own`: the agent's effective user id.
  explicit PeerAuthorizer(uid_t own) : own_(own) {}

  Result<Identity> identify(const Caller& caller) override;
  Result<> permit(const Identity& identity, const Access& access) override;

private:
  uid_t own_;
};

}  // namespace skbtrail
