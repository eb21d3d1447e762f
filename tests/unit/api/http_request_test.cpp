#include "api/http_request.h"

#include <catch2/catch.hpp>
#include <string>

using namespace skbtrail;

namespace {

constexpr HttpLimits kLimits;

int code_of(const std::string& bytes) {
  const auto head = parse_head(bytes, kLimits);
  return head ? 0 : head.error().code;
}

std::string with_fields(const std::string& fields) {
  return "POST /a HTTP/1.1\r\nHost: n1\r\n" + fields + "\r\n";
}

}  // namespace

TEST_CASE("what is no request of HTTP is refused in one line") {
  for (const std::string& wrong : {
           std::string("\r\n\r\n"),
           std::string("GET\r\n\r\n"),
           std::string("GET /\r\n\r\n"),
           std::string("GET / HTTP/1.1\r\n\r\n"),  // no Host
           std::string("get / HTTP/1.1\r\nHost: a\r\n\r\n"),
           std::string("GET  / HTTP/1.1\r\nHost: a\r\n\r\n"),
           std::string("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"),
           std::string("GET http://n1/ HTTP/1.1\r\nHost: a\r\n\r\n"),
           std::string("GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n"),
           std::string("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"),
           std::string("GET / FTP/1.1\r\nHost: a\r\n\r\n"),
           std::string("GET / HTTP/1.1\nHost: a\r\n\r\n"),
           std::string("GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n"),
           std::string("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
           std::string("ABCDEFGHIJKLMNOPQ / HTTP/1.1\r\nHost: a\r\n\r\n"),
           with_fields("no colon\r\n"),
           with_fields(": no name\r\n"),
           with_fields("Space : before\r\n"),
           with_fields("A: b\r\n folded\r\n"),
           with_fields(std::string("A: \0\r\n", 6)),
           with_fields("A: \x7f\r\n"),
           with_fields("Content-Length: 1\r\nContent-Length: 1\r\n"),
           with_fields("Content-Length: +1\r\n"),
           with_fields("Content-Length: 1, 1\r\n"),
           with_fields("Content-Length:\r\n"),
           with_fields("Content-Length: 0x1\r\n"),
           with_fields("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"),
       }) {
    CAPTURE(wrong);
    const auto head = parse_head(wrong, kLimits);
    REQUIRE_FALSE(head);
    CHECK(head.error().code == EINVAL);
    CHECK(head.error().message.find_first_of("\r\n") == std::string::npos);
  }
}

TEST_CASE("each bound of a request has its own code") {
  CHECK(code_of("GET / HTTP/2.0\r\nHost: a\r\n\r\n") == EPROTONOSUPPORT);
  CHECK(code_of(with_fields("Transfer-Encoding: chunked\r\n")) == EBADE);
  CHECK(code_of(with_fields("Content-Length: 1048577\r\n")) == EFBIG);
  CHECK(code_of(with_fields("Content-Length: 99999999999999999999999\r\n")) == EFBIG);
  CHECK(code_of(with_fields("Content-Length: 1048576\r\n")) == 0);
  std::string many;
  for (std::size_t i = 0; i < HttpLimits::kMaxFields; ++i)
    many += "A: b\r\n";
  CHECK(code_of(with_fields(many)) == EMSGSIZE);
}

TEST_CASE("a request is read with its fields, names in any letters") {
  const auto head = parse_head(
      "GET /a/b?tail=1&x HTTP/1.1\r\nHost: n1\r\nAccept: a\r\naCCept:\t b \r\nContent-Length: 7\r\n\r\n", kLimits);
  REQUIRE(head);
  CHECK(head->method == "GET");
  CHECK(head->path == "/a/b");
  CHECK(head->query == "tail=1&x");
  CHECK(head->field("accept") == "a, b");
  CHECK(head->field("authorization").empty());
  CHECK(head->body_bytes == 7);
  CHECK(head->keeps_alive());
}

TEST_CASE("who speaks 1.0, or says so, sends one request") {
  CHECK_FALSE(parse_head("GET / HTTP/1.0\r\n\r\n", kLimits)->keeps_alive());
  CHECK(parse_head("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", kLimits)->keeps_alive());
  CHECK_FALSE(parse_head("GET / HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n", kLimits)->keeps_alive());
}

TEST_CASE("the end of a head is found however it comes, and its bounds before its end") {
  const std::string head = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  for (std::size_t came = 0; came < head.size(); ++came) {
    const auto length = head_length(head.substr(0, came), kLimits);
    REQUIRE(length);
    CHECK_FALSE(*length);
  }
  CHECK(**head_length(head + "GET /next", kLimits) == head.size());
  CHECK(head_length("GET /" + std::string(kLimits.line_bytes, 'a'), kLimits).error().code == ENAMETOOLONG);
  CHECK(head_length("GET /" + std::string(kLimits.line_bytes - 5, 'a') + "\r\n", kLimits));
  CHECK(head_length("GET / HTTP/1.1\r\nA: " + std::string(kLimits.head_bytes, 'a'), kLimits).error().code == EMSGSIZE);
}

TEST_CASE("percent signs are decoded, and a '+' is one") {
  CHECK(*percent_decoded("a%2Fb%20+%00") == std::string("a/b +\0", 6));
  for (const char* wrong : {"%", "%2", "%zz", "%2g", "a%", "%-1", "% 1"})
    CHECK_FALSE(percent_decoded(wrong));
}
