#include "kube/access_review.h"

#include <openssl/sha.h>

#include <utility>

namespace skbtrail {
namespace {

using nlohmann::json;

// Tokens themselves are not kept.
std::string hash_of(const std::string& text) {
  std::string hash(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(),
         reinterpret_cast<unsigned char*>(hash.data()));
  return hash;
}

std::vector<std::string> texts_of(const json& list) {
  std::vector<std::string> texts;
  for (const auto& one : list)
    if (one.is_string())
      texts.push_back(one.get<std::string>());
  return texts;
}

KubeUser user_of(const json& object) {
  KubeUser user{.name = object.value("username", ""), .uid = object.value("uid", ""), .groups = {}, .extra = {}};
  if (object.contains("groups"))
    user.groups = texts_of(object["groups"]);
  if (object.contains("extra"))
    for (const auto& [key, values] : object["extra"].items())
      user.extra.emplace(key, texts_of(values));
  return user;
}

json review_of(const KubeUser& user, const KubeAction& action) {
  json attributes = {{"verb", action.verb}, {"group", action.group}, {"resource", action.resource}};
  if (!action.subresource.empty())
    attributes["subresource"] = action.subresource;
  if (!action.namespace_name.empty())
    attributes["namespace"] = action.namespace_name;
  if (!action.name.empty())
    attributes["name"] = action.name;
  json spec = {{"user", user.name}, {"uid", user.uid}, {"groups", user.groups}, {"resourceAttributes", attributes}};
  if (!user.extra.empty())
    spec["extra"] = user.extra;
  return {{"apiVersion", "authorization.k8s.io/v1"}, {"kind", "SubjectAccessReview"}, {"spec", std::move(spec)}};
}

const json& status_of(const json& answer) {
  static const json kNone = json::object();
  const auto found = answer.find("status");
  return found != answer.end() && found->is_object() ? *found : kNone;
}

}  // namespace

AccessReview::AccessReview(std::shared_ptr<ApiEndpoint> endpoint)
    : client_(std::move(endpoint), kPatience), tokens_(kMostRemembered), answers_(kMostRemembered) {}

Result<AccessReview::TokenAnswer> AccessReview::ask_token(const std::string& token) {
  const auto answer = TRY(client_.create(
      "/apis/authentication.k8s.io/v1/tokenreviews",
      {{"apiVersion", "authentication.k8s.io/v1"}, {"kind", "TokenReview"}, {"spec", {{"token", token}}}}));
  const auto& status = status_of(answer);
  TokenAnswer said;
  try {
    said.is_valid = status.value("authenticated", false);
    said.fault = status.value("error", "");
    if (said.is_valid)
      said.user = user_of(status.at("user"));
  } catch (const json::exception&) {
    return refuse(EBADMSG, "the API server's TokenReview has another form than expected");
  }
  return said;
}

Result<KubeUser> AccessReview::review_token(const std::string& token, Clock::time_point now) {
  if (token.empty() || token.size() > kLongestToken)
    return refuse(EACCES, "the token is empty or too long");
  const std::lock_guard lock{mutex_};
  auto [known, is_new] = tokens_.find_or_insert(hash_of(token));
  if (is_new || now >= known.until) {
    known.until = {};  // a failure is not remembered
    auto said = TRY(ask_token(token));
    known = {.value = std::move(said), .until = now + kRemembered};
  }
  if (!known.value.is_valid)
    return refuse(EACCES, "the token is not valid" + (known.value.fault.empty() ? "" : ": " + known.value.fault));
  return known.value.user;
}

Result<bool> AccessReview::may(const KubeUser& user, const KubeAction& action, Clock::time_point now) {
  const auto review = review_of(user, action);
  const std::lock_guard lock{mutex_};
  auto [known, is_new] = answers_.find_or_insert(hash_of(review.dump()));
  if (!is_new && now < known.until)
    return known.value;
  known.until = {};
  const auto answer = TRY(client_.create("/apis/authorization.k8s.io/v1/subjectaccessreviews", review));
  const auto allowed = status_of(answer).find("allowed");
  known = {.value = allowed != status_of(answer).end() && allowed->is_boolean() && allowed->get<bool>(),
           .until = now + kRemembered};
  return known.value;
}

}  // namespace skbtrail
