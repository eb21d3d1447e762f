#pragma once
// HttpAnswer: what the REST front answers, before it is bytes; and Kubernetes' `Status` for what went wrong. Pure.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "session/session_control.h"

namespace skbtrail {

enum class StreamForm : std::uint8_t { NdJson, ServerSentEvents };

struct HttpAnswer {
  int status = 200;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> fields = {};  // further ones of the header
  std::string body = {};
  // Not null: the body is what it gives, in this form, for as long as it does.
  std::unique_ptr<EventStream> stream = {};
  StreamForm form = StreamForm::NdJson;
};

// The one place where error codes become HTTP's: EACCES 401, EPERM 403, ENOENT 404, ENOTSUP 405, ENOMSG 406, ETIMEDOUT
// 408, EEXIST and EBUSY 409, EBADE 411, EFBIG 413, ENAMETOOLONG 414, ENOTTY 415, EAGAIN 429, EMSGSIZE 431, EINVAL 400,
// EPROTONOSUPPORT 505, all others 503.
int http_status_of(int code);

// "Not Found" for 404; empty: not one that is answered here.
std::string_view http_phrase_of(int status);

// A Status object with kind, apiVersion, status, reason, message, code, and for 400 the field that is wrong in
// details.causes when the message begins with it ("spec.duration: 2h is more than 1h").
HttpAnswer failure_answer(const Error& error);

// The line and header fields in front of a body; ends with the empty line.
std::string answer_head(const HttpAnswer& answer, bool keeps_alive, bool is_chunked);

}  // namespace skbtrail
