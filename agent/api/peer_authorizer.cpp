#include "api/peer_authorizer.h"

namespace skbtrail {

Result<Identity> PeerAuthorizer::identify(const Caller& caller) {
  if (!caller.uid)
    return refuse(EACCES, "the kernel does not say whose process this is");
  return Identity{.name = "uid " + std::to_string(*caller.uid), .uid = std::to_string(*caller.uid)};
}

Result<> PeerAuthorizer::permit(const Identity& identity, const Access&) {
  if (identity.uid == "0" || identity.uid == std::to_string(own_))
    return {};
  return refuse(EPERM, identity.name + " may do nothing here: this socket serves root" +
                           (own_ == 0 ? "" : " and uid " + std::to_string(own_)));
}

}  // namespace skbtrail
