#include "kube/server_clock.h"

#include <ctime>

namespace skbtrail {

std::optional<std::int64_t> time_of_http_date(const std::string& text) {
  std::tm time{};
  const char* const end = ::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &time);
  if (!end || *end != '\0')
    return std::nullopt;
  return ::timegm(&time);
}

}  // namespace skbtrail
