#include "api/http_answer.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json_value.h"

namespace skbtrail {
namespace {

using Json = nlohmann::ordered_json;

struct Meaning {
  int code;  // of Error; 0: of no error
  int status;
  std::string_view phrase;
  std::string_view reason;  // Kubernetes' word
};

constexpr Meaning kMeanings[] = {
    {0, 200, "OK", ""},
    {0, 201, "Created", ""},
    {EINVAL, 400, "Bad Request", "BadRequest"},
    {EACCES, 401, "Unauthorized", "Unauthorized"},
    {EPERM, 403, "Forbidden", "Forbidden"},
    {ENOENT, 404, "Not Found", "NotFound"},
    {ENOTSUP, 405, "Method Not Allowed", "MethodNotAllowed"},
    {ENOMSG, 406, "Not Acceptable", "NotAcceptable"},
    {ETIMEDOUT, 408, "Request Timeout", "Timeout"},
    {EEXIST, 409, "Conflict", "AlreadyExists"},
    {EBUSY, 409, "Conflict", "Conflict"},
    {EBADE, 411, "Length Required", "LengthRequired"},
    {EFBIG, 413, "Content Too Large", "RequestEntityTooLarge"},
    {ENAMETOOLONG, 414, "URI Too Long", "URITooLong"},
    {ENOTTY, 415, "Unsupported Media Type", "UnsupportedMediaType"},
    {EAGAIN, 429, "Too Many Requests", "TooManyRequests"},
    {EMSGSIZE, 431, "Request Header Fields Too Large", "RequestHeaderFieldsTooLarge"},
    {0, 503, "Service Unavailable", "ServiceUnavailable"},
    {EPROTONOSUPPORT, 505, "HTTP Version Not Supported", "HTTPVersionNotSupported"},
};

constexpr std::string_view kRetryAfter = "10";  // seconds

const Meaning& meaning_of(int code) {
  const auto* found = std::ranges::find(kMeanings, code, &Meaning::code);
  // The first of no error is 200, so one that is not listed is looked for by its status.
  if (code == 0 || found == std::end(kMeanings))
    found = std::ranges::find(kMeanings, 503, &Meaning::status);
  return *found;
}

// The field that a message begins with: "metadata.name" of "metadata.name: is missing".
std::string_view field_of(std::string_view message) {
  const auto end = message.find(": ");
  const std::string_view field = message.substr(0, end == std::string_view::npos ? 0 : end);
  const bool is_path = std::ranges::all_of(field, [](char letter) {
    return (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
           letter == '.' || letter == '[' || letter == ']' || letter == '_' || letter == '-' || letter == '/';
  });
  return is_path ? field : std::string_view{};
}

}  // namespace

int http_status_of(int code) {
  return meaning_of(code).status;
}

std::string_view http_phrase_of(int status) {
  const auto* found = std::ranges::find(kMeanings, status, &Meaning::status);
  return found == std::end(kMeanings) ? std::string_view{} : found->phrase;
}

HttpAnswer failure_answer(const Error& error) {
  const Meaning& meaning = meaning_of(error.code);
  Json object = {{"kind", "Status"},      {"apiVersion", "v1"},       {"metadata", Json::object()},
                 {"status", "Failure"},   {"message", error.message}, {"reason", meaning.reason},
                 {"code", meaning.status}};
  if (const auto field = field_of(error.message); error.code == EINVAL && !field.empty())
    object["details"] = {{"causes", Json::array({{{"reason", "FieldValueInvalid"},
                                                  {"message", error.message.substr(field.size() + 2)},
                                                  {"field", field}}})}};
  HttpAnswer answer{.status = meaning.status};
  answer.body = json_text(object) + "\n";
  if (meaning.status == 401)
    answer.fields.emplace_back("WWW-Authenticate", "Bearer realm=\"skbtrail\"");
  if (meaning.status == 429 || meaning.status == 503)
    answer.fields.emplace_back("Retry-After", kRetryAfter);
  return answer;
}

std::string answer_head(const HttpAnswer& answer, bool keeps_alive, bool is_chunked) {
  std::string head = "HTTP/1.1 " + std::to_string(answer.status) + " " + std::string(http_phrase_of(answer.status));
  const auto put = [&head](std::string_view name, std::string_view value) {
    head.append("\r\n").append(name).append(": ").append(value);
  };
  put("Content-Type", answer.content_type);
  // What is answered is about traffic: no cache on the way keeps it, no browser takes it for something else.
  put("Cache-Control", "no-store");
  put("X-Content-Type-Options", "nosniff");
  for (const auto& [name, value] : answer.fields)
    put(name, value);
  if (is_chunked)
    put("Transfer-Encoding", "chunked");
  else if (!answer.stream)
    put("Content-Length", std::to_string(answer.body.size()));
  put("Connection", keeps_alive ? "keep-alive" : "close");
  return head + "\r\n\r\n";
}

}  // namespace skbtrail
