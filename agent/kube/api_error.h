#pragma once
// What the API server answers when it does not do what was asked: a Status object, as an Error.

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/result.h"

namespace skbtrail {

// The code of the error: 404 ENOENT, 409 EEXIST (exists already) or EBUSY (somebody was faster), 410 ESTALE,
// 401 EACCES, 403 EPERM, 400 and 422 EINVAL, 408, 429, 500, 503 and 504 EAGAIN, any other EPROTO. The message has that
// of the Status in `body`, or what the body begins with.
Error api_error(int status, std::string_view body, std::string_view doing);
// The same of a Status that is parsed already.
Error status_error(int status, const nlohmann::json& object, std::string_view doing);

}  // namespace skbtrail
