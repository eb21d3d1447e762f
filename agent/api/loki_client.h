#pragma once
// LokiClient: a log store that speaks Loki's push API, over HTTP or HTTPS.

#include <memory>
#include <string>

#include "base/result.h"
#include "sink/log_push.h"

namespace skbtrail {

struct LokiPlace {
  std::string url;                // "http[s]://HOST[:PORT]/PATH"
  std::string tenant = {};        // X-Scope-OrgID; empty: none
  std::string basic_auth_file{};  // "USER:PASSWORD"; empty: none. Files are read for each request: they may change.
  std::string bearer_token_file{};
  std::string ca_file{};  // empty: the system's
};

// Connecting has 2 s, each answer 10 s; a body goes out compressed by gzip. 429, 408, 5xx and no answer at all mean
// Later, any other answer but 2xx Refused. After no answer the store may have taken the lines, and gets them again.
// EINVAL: the URL is none; ENOENT and so on: a file that is named cannot be read.
Result<std::unique_ptr<LogStore>> open_loki(const LokiPlace& place);

}  // namespace skbtrail
