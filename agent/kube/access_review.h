#pragma once
// AccessReview: asks the API server who somebody is (TokenReview) and what he may do (SubjectAccessReview), for those
// who come with a token of their own. Answers are remembered for some seconds.

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
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

// Any thread. Whoever asks is answered or told so within kPatience.
class AccessReview final {
public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kRemembered{10};
  static constexpr std::size_t kMostRemembered = 1000;
  static constexpr std::size_t kLongestToken = 16U << 10;
  // In all: for one of the clients to be free, to connect, and for the answer.
  static constexpr std::chrono::milliseconds kPatience{2000};
  static constexpr std::chrono::milliseconds kQueuePatience{200};
  static constexpr std::chrono::milliseconds kStepPatience{(kPatience - kQueuePatience) / 2};
  static constexpr std::size_t kAtOnce = 4;  // questions to the API server

  // `most_remembered`: of each kind; at least 1.
  explicit AccessReview(const std::shared_ptr<ApiEndpoint>& endpoint, std::size_t most_remembered = kMostRemembered);
  ~AccessReview();
  AccessReview(const AccessReview&) = delete;
  AccessReview& operator=(const AccessReview&) = delete;

  // EACCES: the token is not valid, and nothing else. Another code: the API server could not be asked; ECANCELED: not
  // any more.
  Result<KubeUser> review_token(const std::string& token, Clock::time_point now = Clock::now());
  // An error: the API server could not be asked; never EACCES or EPERM.
  Result<bool> may(const KubeUser& user, const KubeAction& action, Clock::time_point now = Clock::now());

  // For good. Returns when no question is under way any more.
  void interrupt();

private:
  template <class Value>
  struct Remembered {
    Value value{};
    Clock::time_point until{};
  };
  template <class Value>
  using Cache = LruMap<std::string, Remembered<Value>>;
  struct TokenAnswer {
    bool is_valid = false;
    KubeUser user;
    std::string fault;
  };

  template <class Value>
  std::optional<Value> recall(Cache<Value>& cache, const std::string& key, Clock::time_point now);
  std::optional<TokenAnswer> recall_token(const std::string& key, Clock::time_point now);
  Result<TokenAnswer> ask_token(const std::string& token);
  Result<nlohmann::json> ask(const std::string& path, const nlohmann::json& review);
  Result<ApiClient*> take_client();
  void give_back(ApiClient* client);

  std::mutex mutex_;  // not held while the API server is asked
  std::condition_variable freed_;
  bool interrupted_ = false;
  std::vector<std::unique_ptr<ApiClient>> clients_;
  std::vector<ApiClient*> free_;
  Cache<KubeUser> valid_;       // by the token's hash
  Cache<std::string> invalid_;  // why not; apart, so that guesses do not push out those who are known
  Cache<bool> answers_;
};

}  // namespace skbtrail
