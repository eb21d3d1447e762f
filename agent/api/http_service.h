#pragma once
// HttpService: what stands behind a server: gives each request its answer. Knows nothing of sockets and threads.

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>

#include "api/http_answer.h"
#include "api/http_request.h"
#include "base/result.h"

namespace skbtrail {

struct HttpRequest {
  HttpHead head;
  std::optional<uid_t> peer = {};  // of the process at the other end of a unix socket
  // Reads the body, once. Only called when its sender may do what he asks for, so that nobody else fills our memory.
  std::function<Result<std::string>()> body = [] { return std::string(); };
};

class HttpService {
public:
  virtual ~HttpService() = default;
  // Any thread, several at once. Never fails: what goes wrong is the answer.
  virtual HttpAnswer answer(const HttpRequest& request) = 0;
};

}  // namespace skbtrail
