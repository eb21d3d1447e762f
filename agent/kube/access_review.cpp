#include "kube/access_review.h"

#include <openssl/sha.h>

#include <algorithm>
#include <utility>

#include "base/json_value.h"
#include "kube/whatever_comes.h"

namespace skbtrail {
namespace {

using nlohmann::json;

constexpr std::chrono::milliseconds kTellAgain{10};

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
  KubeUser user{.name = text_at(object, "username"),
                .uid = text_at(object, "uid"),
                .groups = texts_of(member_of(object, "groups")),
                .extra = {}};
  if (const auto& extra = member_of(object, "extra"); extra.is_object())
    for (const auto& [key, values] : extra.items())
      user.extra.emplace(key, texts_of(values));
  return user;
}

// As in a header: what is no such character cannot be sent on, and is nobody's token.
bool is_token(const std::string& text) {
  const auto is_visible = [](char c) { return c >= 0x21 && c <= 0x7e; };
  return !text.empty() && text.size() <= AccessReview::kLongestToken && std::ranges::all_of(text, is_visible);
}

// That the API server refuses the agent says nothing of the one who asked the agent.
Error not_asked(Error error) {
  if (error.code == EACCES || error.code == EPERM)
    error.code = EHOSTUNREACH;
  return error;
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

Error invalid_token(const std::string& fault) {
  return refuse(EACCES, "the token is not valid" + (fault.empty() ? "" : ": " + fault));
}

}  // namespace

AccessReview::AccessReview(const std::shared_ptr<ApiEndpoint>& endpoint, std::size_t most_remembered)
    : valid_(most_remembered), invalid_(most_remembered), answers_(most_remembered) {
  for (std::size_t i = 0; i < kAtOnce; ++i) {
    clients_.push_back(std::make_unique<ApiClient>(endpoint, kStepPatience, ApiClient::Patience::None));
    free_.push_back(clients_.back().get());
  }
}

AccessReview::~AccessReview() {
  interrupt();
}

// An interruption may come just before a request begins to read, and be lost: it is repeated.
void AccessReview::interrupt() {
  std::unique_lock lock{mutex_};
  interrupted_ = true;
  freed_.notify_all();
  do {
    for (const auto& client : clients_)
      client->interrupt();
  } while (!freed_.wait_for(lock, kTellAgain, [this] { return free_.size() == clients_.size(); }));
}

Result<ApiClient*> AccessReview::take_client() {
  std::unique_lock lock{mutex_};
  const bool is_one_free = freed_.wait_for(lock, kQueuePatience, [this] { return interrupted_ || !free_.empty(); });
  if (interrupted_)
    return fail(ECANCELED, "ask the API server");
  if (!is_one_free)
    return fail(ETIMEDOUT, "wait for other questions to the API server");
  auto* client = free_.back();
  free_.pop_back();
  return client;
}

void AccessReview::give_back(ApiClient* client) {
  {
    const std::lock_guard lock{mutex_};
    free_.push_back(client);
  }
  freed_.notify_all();
}

Result<json> AccessReview::ask(const std::string& path, const json& review) {
  auto* client = TRY(take_client());
  auto answer = whatever_comes("review", [&] { return client->create(path, review); });
  give_back(client);
  if (!answer)
    return not_asked(std::move(answer.error()));
  return answer;
}

template <class Value>
std::optional<Value> AccessReview::recall(Cache<Value>& cache, const std::string& key, Clock::time_point now) {
  const auto* known = cache.find(key);
  return known != nullptr && now < known->until ? std::optional(known->value) : std::nullopt;
}

std::optional<AccessReview::TokenAnswer> AccessReview::recall_token(const std::string& key, Clock::time_point now) {
  const std::lock_guard lock{mutex_};
  if (auto user = recall(valid_, key, now))
    return TokenAnswer{.is_valid = true, .user = std::move(*user), .fault = {}};
  if (auto fault = recall(invalid_, key, now))
    return TokenAnswer{.is_valid = false, .user = {}, .fault = std::move(*fault)};
  return std::nullopt;
}

Result<AccessReview::TokenAnswer> AccessReview::ask_token(const std::string& token) {
  const auto answer =
      TRY(ask("/apis/authentication.k8s.io/v1/tokenreviews",
              {{"apiVersion", "authentication.k8s.io/v1"}, {"kind", "TokenReview"}, {"spec", {{"token", token}}}}));
  const auto& status = member_of(answer, "status");
  const auto& user = member_of(status, "user");
  const bool is_valid = flag_at(status, "authenticated");
  if (!status.is_object() || (is_valid && text_at(user, "username").empty()))
    return refuse(EBADMSG, "the API server's TokenReview has another form than expected");
  return TokenAnswer{
      .is_valid = is_valid, .user = is_valid ? user_of(user) : KubeUser{}, .fault = text_at(status, "error")};
}

// A failure is not remembered.
Result<KubeUser> AccessReview::review_token(const std::string& token, Clock::time_point now) {
  if (!is_token(token))
    return refuse(EACCES, "the token is empty, too long, or has characters that no token has");
  const auto key = hash_of(token);
  auto known = recall_token(key, now);
  if (!known) {
    known = TRY(ask_token(token));
    const std::lock_guard lock{mutex_};
    if (known->is_valid)
      valid_.find_or_insert(key).first = {.value = known->user, .until = now + kRemembered};
    else
      invalid_.find_or_insert(key).first = {.value = known->fault, .until = now + kRemembered};
  }
  if (!known->is_valid)
    return invalid_token(known->fault);
  return std::move(known->user);
}

Result<bool> AccessReview::may(const KubeUser& user, const KubeAction& action, Clock::time_point now) {
  const auto review = review_of(user, action);
  const auto key = hash_of(json_text(review));
  {
    const std::lock_guard lock{mutex_};
    if (const auto known = recall(answers_, key, now))
      return *known;
  }
  const auto answer = TRY(ask("/apis/authorization.k8s.io/v1/subjectaccessreviews", review));
  const auto& status = member_of(answer, "status");
  if (!status.is_object())
    return refuse(EBADMSG, "the API server's SubjectAccessReview has another form than expected");
  const bool allowed = flag_at(status, "allowed");
  const std::lock_guard lock{mutex_};
  answers_.find_or_insert(key).first = {.value = allowed, .until = now + kRemembered};
  return allowed;
}

}  // namespace skbtrail
