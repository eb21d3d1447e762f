#pragma once
// ListenAddress: where a server listens on the network, as users write it. Pure.

#include <cstdint>
#include <string>

#include "base/result.h"

namespace skbtrail {

struct ListenAddress {
  std::string host;        // without brackets
  std::uint16_t port = 0;  // 0: any that is free
};

// As users write it.
std::string text_of(const ListenAddress& address);

// "127.0.0.1:9464", "[::1]:9464", ":9464" (every address).
Result<ListenAddress> parse_listen_address(const std::string& text);

}  // namespace skbtrail
