#include "app/kube_authorizer.h"

#include <string>

namespace skbtrail {
namespace {

std::string words_of(const Access& access) {
  std::string text = std::string(access.verb) + " " + std::string(access.resource);
  if (!access.name.empty())
    text.append(" '").append(access.name).append("'");
  return access.namespace_name.empty() ? text + " at the cluster's scope"
                                       : text + " in the namespace '" + access.namespace_name + "'";
}

}  // namespace

Result<Identity> KubeAuthorizer::identify(const Caller& caller) {
  if (caller.token.empty())
    return refuse(EACCES, "a token of the cluster is needed: send 'Authorization: Bearer TOKEN'");
  auto user = review_.review_token(caller.token);
  if (!user && user.error().code == EACCES)
    return user.error();
  if (!user)
    return cannot_judge(user.error());
  return Identity{.name = std::move(user->name),
                  .uid = std::move(user->uid),
                  .groups = std::move(user->groups),
                  .extra = std::move(user->extra)};
}

Result<> KubeAuthorizer::permit(const Identity& identity, const Access& access) {
  const auto may =
      review_.may({.name = identity.name, .uid = identity.uid, .groups = identity.groups, .extra = identity.extra},
                  {.verb = std::string(access.verb),
                   .group = std::string(access.group),
                   .resource = std::string(access.resource),
                   .namespace_name = access.namespace_name,
                   .name = access.name});
  if (!may)
    return cannot_judge(may.error());
  if (!*may)
    return refuse(EPERM, "user '" + identity.name + "' may not " + words_of(access) +
                             ": a Role or ClusterRole that is bound to him has to allow it");
  return {};
}

// 503, whatever it was. The details are for the log, since they tell of the cluster.
Error KubeAuthorizer::cannot_judge(const Error& why) {
  const auto now = Clock::now();
  bool is_due = false;
  {
    const std::lock_guard lock{mutex_};
    is_due = !logged_at_ || now - *logged_at_ >= kLogEvery;
    if (is_due)
      logged_at_ = now;
  }
  if (is_due)
    log_(LogLevel::Warning, "tokens cannot be judged: " + why.message);
  return refuse(EHOSTUNREACH, "tokens cannot be judged now: the API server cannot be asked");
}

}  // namespace skbtrail
