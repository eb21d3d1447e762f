#include "api/loki_client.h"

#include <httplib.h>

#include <atomic>
#include <charconv>
#include <fstream>
#include <utility>

namespace skbtrail {
namespace {

constexpr time_t kConnectSeconds = 2;
constexpr time_t kAnswerSeconds = 10;
constexpr std::size_t kMaxSecretBytes = 16U << 10;
constexpr std::size_t kMaxWhyBytes = 200;

using Answer = LogStore::Answer;
using Reply = LogStore::Reply;

struct Url {
  std::string server;  // "https://loki:3100"
  std::string path;    // "/loki/api/v1/push"
};

Result<Url> parse_url(const std::string& text) {
  const auto scheme_end = text.find("://");
  const std::string scheme = text.substr(0, scheme_end);
  if (scheme_end == std::string::npos || (scheme != "http" && scheme != "https"))
    return refuse(EINVAL, "'" + text + "' is no URL that begins with http:// or https://");
  const auto path_start = text.find('/', scheme_end + 3);
  if (path_start == std::string::npos || path_start == scheme_end + 3)
    return refuse(EINVAL, "'" + text + "' is no whole URL, as http://loki:3100/loki/api/v1/push is");
  return Url{text.substr(0, path_start), text.substr(path_start)};
}

// The first line of a file.
Result<std::string> secret_of(const std::string& file) {
  std::ifstream in{file};
  std::string text(kMaxSecretBytes, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.gcount() == 0)
    return refuse(in.is_open() ? EINVAL : ENOENT,
                  "'" + file + "' " + (in.is_open() ? "is empty" : "cannot be read") + ", it should hold a secret");
  text.resize(static_cast<std::size_t>(in.gcount()));
  return text.substr(0, text.find_first_of("\r\n"));
}

std::chrono::seconds asked_wait(const httplib::Response& response) {
  const std::string text = response.get_header_value("Retry-After");
  unsigned seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  return std::chrono::seconds(error == std::errc{} && end == text.data() + text.size() ? seconds : 0);
}

// What the store says of itself, as one short line.
std::string first_line(const std::string& body) {
  std::string line = body.substr(0, std::min(body.find_first_of("\r\n"), kMaxWhyBytes));
  std::erase_if(line, [](unsigned char character) { return character < ' ' || character == 0x7f; });
  return line.empty() ? "" : ": " + line;
}

class LokiClient final : public LogStore {
public:
  LokiClient(LokiPlace place, Url url) : place_(std::move(place)), url_(std::move(url)), client_(url_.server) {
    client_.set_connection_timeout(kConnectSeconds);
    client_.set_read_timeout(kAnswerSeconds);
    client_.set_write_timeout(kAnswerSeconds);
    client_.set_keep_alive(true);
    client_.set_compress(true);
    if (!place_.ca_file.empty())
      client_.set_ca_cert_path(place_.ca_file);
    client_.enable_server_certificate_verification(true);
  }

  Result<> check_files() const {
    (void)TRY(headers());
    if (!place_.ca_file.empty())
      (void)TRY(secret_of(place_.ca_file));
    return {};
  }

  Reply push(const std::string& body) override {
    if (cancelled_)
      return {.why = "cancelled"};
    const auto with = headers();
    if (!with)
      return {.why = with.error().message};
    const auto result = client_.Post(url_.path, *with, body, "application/json");
    if (!result)
      return {.why = "log store '" + place_.url + "' does not answer: " + httplib::to_string(result.error())};
    if (result->status / 100 == 2)
      return {.answer = Answer::Taken};
    const bool is_later = result->status == 429 || result->status == 408 || result->status / 100 == 5;
    return {
        .answer = is_later ? Answer::Later : Answer::Refused,
        .wait = asked_wait(*result),
        .why = "log store '" + place_.url + "' answers " + std::to_string(result->status) + first_line(result->body)};
  }

  void cancel() override {
    cancelled_ = true;
    client_.stop();
  }

private:
  Result<httplib::Headers> headers() const {
    httplib::Headers headers;
    if (!place_.tenant.empty())
      headers.emplace("X-Scope-OrgID", place_.tenant);
    if (!place_.bearer_token_file.empty())
      headers.emplace("Authorization", "Bearer " + TRY(secret_of(place_.bearer_token_file)));
    if (!place_.basic_auth_file.empty()) {
      const std::string both = TRY(secret_of(place_.basic_auth_file));
      const auto colon = both.find(':');
      if (colon == std::string::npos)
        return refuse(EINVAL, "'" + place_.basic_auth_file + "' does not hold USER:PASSWORD");
      headers.insert(httplib::make_basic_authentication_header(both.substr(0, colon), both.substr(colon + 1)));
    }
    return headers;
  }

  LokiPlace place_;
  Url url_;
  httplib::Client client_;
  std::atomic<bool> cancelled_ = false;
};

}  // namespace

Result<std::unique_ptr<LogStore>> open_loki(const LokiPlace& place) {
  auto url = TRY(parse_url(place.url));
  auto client = std::make_unique<LokiClient>(place, std::move(url));
  TRY(client->check_files());
  return std::unique_ptr<LogStore>(std::move(client));
}

}  // namespace skbtrail
