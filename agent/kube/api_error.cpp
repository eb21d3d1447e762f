#include "kube/api_error.h"

#include "base/json_value.h"

namespace skbtrail {
namespace {

constexpr std::size_t kMaxMessage = 1024;

struct StatusText {
  std::string message;
  std::string reason;
};

StatusText status_text(const nlohmann::json& object) {
  return {.message = text_at(object, "message"), .reason = text_at(object, "reason")};
}

StatusText status_text(std::string_view body) {
  const auto object = nlohmann::json::parse(body, nullptr, false);
  if (object.is_object())
    return status_text(object);
  return {.message = std::string(body.substr(0, body.find('\n'))), .reason = {}};
}

int code_of(int status, std::string_view reason) {
  switch (status) {
    case 400:
    case 422: return EINVAL;
    case 401: return EACCES;
    case 403: return EPERM;
    case 404: return ENOENT;
    case 409: return reason == "AlreadyExists" ? EEXIST : EBUSY;
    case 410: return ESTALE;
    case 408:
    case 429:
    case 500:
    case 503:
    case 504: return EAGAIN;
    default: return EPROTO;
  }
}

Error error_of(int status, const StatusText& text, std::string_view doing) {
  const std::string message = text.message.empty() ? "no message" : text.message.substr(0, kMaxMessage);
  return refuse(code_of(status, text.reason),
                std::string(doing) + ": the API server answers " + std::to_string(status) + ": " + message);
}

}  // namespace

Error api_error(int status, std::string_view body, std::string_view doing) {
  return error_of(status, status_text(body), doing);
}

Error status_error(int status, const nlohmann::json& object, std::string_view doing) {
  return error_of(status, status_text(object), doing);
}

}  // namespace skbtrail
