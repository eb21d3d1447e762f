#include "kube/api_client.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/json_value.h"
#include "kube/api_error.h"
#include "kube/line_splitter.h"
#include "kube/tls_client.h"

namespace skbtrail {
namespace {

using nlohmann::json;

constexpr int kMostWaits = 3;
constexpr std::chrono::seconds kLongestWait{30};
constexpr int kPatience = 2;               // times the timeout: who cannot wait for answers cannot wait for this
constexpr std::size_t kMaxPages = 20'000;  // half a million objects
constexpr std::size_t kMaxLine = 4U << 20;
constexpr std::string_view kJson = "application/json";
constexpr std::string_view kApply = "application/apply-patch+yaml";  // JSON is YAML

std::string without_query(const std::string& path) {
  return path.substr(0, path.find('?'));
}

// Seconds; the other form, a date, is not used by API servers.
std::chrono::seconds retry_after(const std::string& text) {
  std::int64_t seconds = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), seconds).ec != std::errc{} || seconds < 0)
    return std::chrono::seconds(1);
  return std::min(std::chrono::seconds(seconds), kLongestWait);
}

int code_of(httplib::Error error) {
  switch (error) {
    case httplib::Error::ConnectionTimeout: return ETIMEDOUT;
    case httplib::Error::Connection:
    case httplib::Error::SSLConnection:
    case httplib::Error::SSLLoadingCerts:
    case httplib::Error::SSLServerVerification: return ECONNREFUSED;
    default: return ECONNRESET;
  }
}

std::string_view words_of(httplib::Error error) {
  switch (error) {
    case httplib::Error::ConnectionTimeout: return "it does not answer";
    case httplib::Error::Connection: return "it cannot be reached";
    case httplib::Error::SSLConnection: return "it cannot be reached by TLS";
    case httplib::Error::SSLLoadingCerts: return "the file of its certificate authority cannot be read";
    case httplib::Error::SSLServerVerification: return "its certificate is not trusted";
    default: return "the connection broke, or nothing came in time";
  }
}

}  // namespace

std::string query_text(std::string_view text) {
  std::string encoded;
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
                       c == '_' || c == '.' || c == '~';
    if (plain)
      encoded += c;
    else
      encoded.append({'%', kDigits[byte >> 4U], kDigits[byte & 15U]});
  }
  return encoded;
}

struct ApiClient::Request {
  std::string verb;
  std::string method;
  std::string path;
  std::string body = {};
  std::string_view type = kJson;
  std::chrono::seconds silence{0};  // 0: the client's timeout
  const TakeLine* take = nullptr;   // of a watch

  std::string doing() const { return verb + " " + without_query(path); }
};

struct ApiClient::Answer {
  int status = 0;
  std::string body;
  std::string retry_after;
};

ApiClient::ApiClient(std::shared_ptr<ApiEndpoint> endpoint, std::chrono::milliseconds timeout, Patience patience)
    : endpoint_(std::move(endpoint)), timeout_(timeout), patience_(patience) {}

ApiClient::~ApiClient() = default;

Result<json> ApiClient::get(const std::string& path) {
  return ask({.verb = "get", .method = "GET", .path = path});
}

Result<json> ApiClient::create(const std::string& path, const json& object) {
  return ask({.verb = "create", .method = "POST", .path = path, .body = json_text(object)});
}

Result<json> ApiClient::replace(const std::string& path, const json& object) {
  return ask({.verb = "update", .method = "PUT", .path = path, .body = json_text(object)});
}

Result<json> ApiClient::apply(const std::string& path, const json& object, const std::string& manager) {
  return ask({.verb = "apply",
              .method = "PATCH",
              .path = path + "?force=true&fieldManager=" + query_text(manager),
              .body = json_text(object),
              .type = kApply});
}

Result<> ApiClient::remove(const std::string& path, const std::string& uid) {
  const json options = {{"apiVersion", "v1"}, {"kind", "DeleteOptions"}, {"preconditions", {{"uid", uid}}}};
  TRY(ask({.verb = "delete", .method = "DELETE", .path = path, .body = uid.empty() ? "" : json_text(options)}));
  return {};
}

Result<ApiClient::List> ApiClient::list(const std::string& path, const std::string& query) {
  List list;
  std::string more;
  for (std::size_t page = 0; page < kMaxPages; ++page) {
    std::string whole = path + "?limit=" + std::to_string(kPage);
    whole += query;
    if (!more.empty())
      whole.append("&continue=").append(query_text(more));
    auto answer = TRY(ask({.verb = "list", .method = "GET", .path = std::move(whole)}));
    const auto items = answer.find("items");
    const auto& metadata = member_of(answer, "metadata");
    if (items == answer.end() || !items->is_array() || !metadata.is_object())
      return refuse(EBADMSG, "list " + path + ": the answer is no list");
    for (auto& item : *items)
      list.items.push_back(std::move(item));
    list.resource_version = text_at(metadata, "resourceVersion");
    more = text_at(metadata, "continue");
    if (more.empty())
      return list;
  }
  return fail(EFBIG, "list " + path);
}

Result<> ApiClient::watch(const std::string& path, std::chrono::seconds silence, const TakeLine& take) {
  const auto answer =
      TRY(send({.verb = "watch", .method = "GET", .path = path, .body = {}, .silence = silence, .take = &take}));
  if (answer.status / 100 != 2)
    return api_error(answer.status, answer.body, "watch " + without_query(path));
  return {};
}

void ApiClient::interrupt() {
  std::shared_ptr<TlsClient> connection;
  {
    const std::lock_guard lock{mutex_};
    interrupted_ = true;
    connection = connection_;
  }
  changed_.notify_all();
  if (connection)
    connection->http->stop();
}

bool ApiClient::is_interrupted() const {
  const std::lock_guard lock{mutex_};
  return interrupted_;
}

bool ApiClient::sleep(std::chrono::seconds time) {
  std::unique_lock lock{mutex_};
  return !changed_.wait_for(lock, time, [this] { return interrupted_; });
}

Result<std::shared_ptr<TlsClient>> ApiClient::connection() {
  const std::lock_guard lock{mutex_};
  if (interrupted_)
    return fail(ECANCELED, "ask the API server");
  if (!connection_) {
    connection_ = std::make_shared<TlsClient>(TRY(make_client(endpoint_->config())));
    connection_->http->set_connection_timeout(std::min<std::chrono::milliseconds>(kConnectTimeout, timeout_));
    connection_->http->set_write_timeout(timeout_);
  }
  return connection_;
}

Result<json> ApiClient::ask(const Request& request) {
  const auto answer = TRY(send(request));
  if (answer.status / 100 != 2)
    return api_error(answer.status, answer.body, request.doing());
  auto object = json::parse(answer.body, nullptr, false);
  if (!object.is_object())
    return refuse(EBADMSG, request.doing() + ": the answer is no object of JSON");
  return object;
}

Result<ApiClient::Answer> ApiClient::send(const Request& request) {
  for (int waits = 0;; ++waits) {
    auto answer = TRY(send_once(request));
    const bool later = answer.status == 429 || (answer.status == 503 && !answer.retry_after.empty());
    const auto wait = retry_after(answer.retry_after);
    if (!later || patience_ == Patience::None || waits == kMostWaits || wait > kPatience * timeout_)
      return answer;
    if (!sleep(wait))
      return fail(ECANCELED, request.doing());
  }
}

Result<ApiClient::Answer> ApiClient::send_once(const Request& request) {
  const auto token = TRY(current_token(endpoint_->config()));
  const auto connection = TRY(this->connection());
  httplib::Request sent;
  sent.method = request.method;
  sent.path = connection->base_path + request.path;
  sent.headers = {{"Accept", std::string(kJson)}, {"User-Agent", "skbtrail"}};
  if (!token.empty())
    sent.headers.emplace("Authorization", "Bearer " + token);
  if (!request.body.empty())
    sent.headers.emplace("Content-Type", std::string(request.type));
  sent.body = request.body;
  Answer answer;
  bool is_too_long = false;
  bool is_enough = false;
  LineSplitter lines(kMaxLine);
  sent.response_handler = [&](const httplib::Response& head) {
    answer.status = head.status;
    answer.retry_after = head.get_header_value("Retry-After");
    return !is_interrupted();
  };
  sent.content_receiver = [&](const char* bytes, std::size_t size, std::uint64_t, std::uint64_t) {
    if (request.take != nullptr && answer.status == 200) {
      is_enough = !lines.add({bytes, size}, [&](std::string_view line) { return (*request.take)(line); });
      return !is_enough;
    }
    is_too_long = answer.body.size() + size > kMaxAnswer;
    if (!is_too_long)
      answer.body.append(bytes, size);
    return !is_too_long;
  };
  connection->http->set_read_timeout(request.silence.count() > 0 ? std::chrono::milliseconds(request.silence)
                                                                 : timeout_);
  const auto result = connection->http->send(sent);
  endpoint_->count(request.verb, answer.status);
  if (is_too_long || lines.is_too_long())
    return fail(EFBIG, request.doing());
  if (!result && !is_enough)
    return transport_error(static_cast<int>(result.error()), request.doing());
  if (answer.status == 401)
    forget_connection();
  return answer;
}

// Files of certificates may be new, and are read for a new connection only.
void ApiClient::forget_connection() {
  const std::lock_guard lock{mutex_};
  connection_.reset();
}

Error ApiClient::transport_error(int library_error, const std::string& doing) {
  const std::lock_guard lock{mutex_};
  connection_.reset();  // files of certificates may be new
  if (interrupted_)
    return fail(ECANCELED, doing);
  const auto error = static_cast<httplib::Error>(library_error);
  return refuse(code_of(error),
                doing + ": API server " + endpoint_->config().server + ": " + std::string(words_of(error)));
}

}  // namespace skbtrail
