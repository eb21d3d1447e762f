#pragma once
// AccessReview: asks the API server who somebody is (TokenReview) and what he may do (SubjectAccessReview), for those
// who come with a token of their own. Answers are remembered for some seconds.

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/lru_map.h"
#include "base/result.h"
#include "kube/api_client.h"

namespace skbtrail {

struct KubeUser {
  std::string name = {};
  std::string uid = {};
  std::vector<std::string> groups = {};
  std::map<std::string, std::vector<std::string>> extra = {};
};

struct KubeAction {
  std::string verb;
  std::string group;
  std::string resource;
  std::string subresource = {};
  std::string namespace_name = {};  // empty: of the cluster
  std::string name = {};            // empty: all
};

// Any thread; one question to the API server at a time.
class AccessReview final {
public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kRemembered{10};
  static constexpr std::size_t kMostRemembered = 1000;  // of each kind
  static constexpr std::size_t kLongestToken = 16U << 10;
  static constexpr std::chrono::seconds kPatience{5};

  explicit AccessReview(std::shared_ptr<ApiEndpoint> endpoint);

  // EACCES: the token is not valid. Another code: the API server could not be asked.
  Result<KubeUser> review_token(const std::string& token, Clock::time_point now = Clock::now());
  Result<bool> may(const KubeUser& user, const KubeAction& action, Clock::time_point now = Clock::now());

private:
  template <class Value>
  struct Remembered {
    Value value{};
    Clock::time_point until{};
  };
  struct TokenAnswer {
    bool is_valid = false;
    KubeUser user;
    std::string fault;
  };

  Result<TokenAnswer> ask_token(const std::string& token);

  std::mutex mutex_;
  ApiClient client_;
  LruMap<std::string, Remembered<TokenAnswer>> tokens_;  // by the token's hash
  LruMap<std::string, Remembered<bool>> answers_;
};

}  // namespace skbtrail
