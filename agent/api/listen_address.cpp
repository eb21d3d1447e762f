#include "api/listen_address.h"

#include <charconv>

namespace skbtrail {

std::string text_of(const ListenAddress& address) {
  const bool is_v6 = address.host.find(':') != std::string::npos;
  return (is_v6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

Result<ListenAddress> parse_listen_address(const std::string& text) {
  const auto colon = text.rfind(':');
  ListenAddress address;
  const char* last = text.data() + text.size();
  const auto parsed = colon == std::string::npos ? std::from_chars_result{last, std::errc::invalid_argument}
                                                 : std::from_chars(text.data() + colon + 1, last, address.port);
  if (parsed.ec != std::errc{} || parsed.ptr != last)
    return refuse(EINVAL, "listen address '" + text + "': write ADDRESS:PORT, such as 127.0.0.1:9464 or [::]:9464");
  address.host = text.substr(0, colon);
  const bool bracketed = address.host.starts_with('[') && address.host.ends_with(']');
  if (bracketed)
    address.host = address.host.substr(1, address.host.size() - 2);
  else if (address.host.find(':') != std::string::npos)
    return refuse(EINVAL, "listen address '" + text + "': an IPv6 address stands in brackets, such as [::1]:9464");
  if (address.host.empty())
    address.host = "::";
  return address;
}

}  // namespace skbtrail
