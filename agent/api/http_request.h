#pragma once
// HttpHead: request line and header of an HTTP/1.1 (or 1.0) request, read strictly. Pure.
//
// Only what well-known clients send is taken: no folded header lines, no bare line feeds, no request target but a path,
// no body without Content-Length. What two readers could understand in two ways is refused.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace skbtrail {

struct HttpLimits {
  std::size_t line_bytes = 8U << 10;   // of the request line
  std::size_t head_bytes = 16U << 10;  // of request line and header together
  std::size_t body_bytes = 1U << 20;
  static constexpr std::size_t kMaxFields = 100;
};

struct HttpHead {
  std::string method = {};  // as sent: capital letters
  std::string path = {};    // begins with '/'; still percent-encoded
  std::string query = {};   // without '?'
  bool is_1_0 = false;
  std::vector<std::pair<std::string, std::string>> fields = {};  // names in small letters
  std::uint64_t body_bytes = 0;

  // Of a field that is there several times, the values joined by ", ". Empty: there is none.
  std::string field(std::string_view name) const;
  // Whether the client wants to send another request on the same connection.
  bool keeps_alive() const;
};

// How much of `bytes`, which came so far, is the head, the empty line included; nothing: more has to come.
// ENAMETOOLONG: the request line is too long (414). EMSGSIZE: the head is (431).
Result<std::optional<std::size_t>> head_length(std::string_view bytes, const HttpLimits& limits);

// `bytes` is a whole head. EINVAL: it is no request (400). EPROTONOSUPPORT: of another version (505). EMSGSIZE: too
// many fields (431). EBADE: a body whose length is not told (411). EFBIG: a body that is too long (413).
Result<HttpHead> parse_head(std::string_view bytes, const HttpLimits& limits);

// "%20" and its like as what they stand for; a '+' stays. Nothing: a '%' without two hexadecimal digits.
std::optional<std::string> percent_decoded(std::string_view text);

}  // namespace skbtrail
