#pragma once
// ApiClient: one connection to the API server. Speaks of objects as JSON and knows no kind.

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "kube/api_endpoint.h"

namespace skbtrail {

struct TlsClient;

// Text in a query, such as a token of `continue`.
std::string query_text(std::string_view text);

// Belongs to one thread, but for interrupt(). Errors are those of kube/api_error.h; besides ECONNREFUSED (cannot be
// reached; also when its certificate is not trusted), ETIMEDOUT, ECONNRESET, ECANCELED (interrupted), EBADMSG (no JSON)
// and EFBIG. An answer 429, or 503 with Retry-After, is waited for (30 s and twice the timeout at most, three times)
// before it is an error, but for a client without patience.
class ApiClient final {
public:
  static constexpr std::chrono::seconds kTimeout{15};
  static constexpr std::chrono::seconds kConnectTimeout{5};
  static constexpr std::size_t kMaxAnswer = 64U << 20;  // bytes
  // Objects: one may have 1.5 MiB, so that any page fits into an answer.
  static constexpr std::size_t kPage = 25;

  // Whether to wait when the API server asks for patience.
  enum class Patience : std::uint8_t { Some, None };

  // `timeout`: for an answer; of a list for each page.
  explicit ApiClient(std::shared_ptr<ApiEndpoint> endpoint, std::chrono::milliseconds timeout = kTimeout,
                     Patience patience = Patience::Some);
  ~ApiClient();
  ApiClient(const ApiClient&) = delete;
  ApiClient& operator=(const ApiClient&) = delete;

  // Paths begin with '/' and may have a query.
  Result<nlohmann::json> get(const std::string& path);
  Result<nlohmann::json> create(const std::string& path, const nlohmann::json& object);
  Result<nlohmann::json> replace(const std::string& path, const nlohmann::json& object);
  // Server-side apply: `object` is all that `manager` says; what others have said of the same is taken over.
  Result<nlohmann::json> apply(const std::string& path, const nlohmann::json& object, const std::string& manager);
  // Only the object that has this uid, if any is given. ENOENT: it is gone already.
  Result<> remove(const std::string& path, const std::string& uid = {});

  struct List {
    std::vector<nlohmann::json> items;
    std::string resource_version;
  };
  // All objects, in pages; `query` begins with '&' or is empty.
  Result<List> list(const std::string& path, const std::string& query = {});

  // Each line of a watch; false ends it.
  using TakeLine = std::function<bool(std::string_view)>;
  // Returns when the server ends it, or `take` does. `silence`: how long nothing may come. EFBIG: a line is too long.
  Result<> watch(const std::string& path, std::chrono::seconds silence, const TakeLine& take);

  // Any thread: ends what runs and refuses what comes.
  void interrupt();

private:
  struct Request;
  struct Answer;

  Result<std::shared_ptr<TlsClient>> connection();
  Result<nlohmann::json> ask(const Request& request);
  Result<Answer> send(const Request& request);
  Result<Answer> send_once(const Request& request);
  Error transport_error(int library_error, const std::string& doing);
  void forget_connection();
  bool is_interrupted() const;
  bool sleep(std::chrono::seconds time);

  std::shared_ptr<ApiEndpoint> endpoint_;
  std::chrono::milliseconds timeout_;
  Patience patience_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool interrupted_ = false;
  std::shared_ptr<TlsClient> connection_;  // made anew after each failure
};

}  // namespace skbtrail
