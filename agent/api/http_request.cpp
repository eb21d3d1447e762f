#include "api/http_request.h"

#include <algorithm>
#include <charconv>

#include "api/header_text.h"

namespace skbtrail {
namespace {

constexpr std::string_view kLineEnd = "\r\n";
constexpr std::string_view kHeadEnd = "\r\n\r\n";
constexpr std::size_t kMaxMethod = 16;

// RFC 9110, 5.6.2.
bool is_token(std::string_view text) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::ranges::all_of(text, [&](char letter) {
    return (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
           kMarks.find(letter) != std::string_view::npos;
  });
}

bool is_control(char letter) {
  const auto code = static_cast<unsigned char>(letter);
  return (code < 0x20 && letter != '\t') || code == 0x7f;
}

Error bad(const std::string& what) {
  return refuse(EINVAL, "this is no HTTP request: " + what);
}

// Up to the line's end, which is taken away as well.
std::string_view take_line(std::string_view& bytes) {
  const auto end = std::min(bytes.find(kLineEnd), bytes.size());
  const std::string_view line = bytes.substr(0, end);
  bytes.remove_prefix(std::min(end + kLineEnd.size(), bytes.size()));
  return line;
}

Result<> put_target(HttpHead& head, std::string_view target) {
  // Visible ASCII alone: all else is percent-encoded.
  const bool is_visible = std::ranges::all_of(target, [](char letter) { return letter > ' ' && letter < '\x7f'; });
  if (!target.starts_with('/') || !is_visible || target.find('#') != std::string_view::npos)
    return bad("the target has to be a path, such as /healthz");
  const auto question = target.find('?');
  head.path = target.substr(0, question);
  if (question != std::string_view::npos)
    head.query = target.substr(question + 1);
  return {};
}

Result<> put_request_line(HttpHead& head, std::string_view line) {
  const auto first = line.find(' ');
  const auto last = line.rfind(' ');
  if (first == std::string_view::npos || first == last)
    return bad("the first line has to be METHOD PATH HTTP/1.1");
  const std::string_view method = line.substr(0, first);
  const std::string_view version = line.substr(last + 1);
  if (method.empty() || method.size() > kMaxMethod ||
      !std::ranges::all_of(method, [](char letter) { return letter >= 'A' && letter <= 'Z'; }))
    return bad("a method has 1 to 16 capital letters");
  if (version.size() != 8 || !version.starts_with("HTTP/"))
    return bad("the first line has to end with HTTP/1.1");
  if (version != "HTTP/1.1" && version != "HTTP/1.0")
    return refuse(EPROTONOSUPPORT, "only HTTP/1.1 and HTTP/1.0 are spoken here");
  head.method = method;
  head.is_1_0 = version == "HTTP/1.0";
  return put_target(head, line.substr(first + 1, last - first - 1));
}

Result<> put_field(HttpHead& head, std::string_view line) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon)))
    return bad("a header line is NAME: VALUE");
  const std::string_view value = trimmed(line.substr(colon + 1));
  if (std::ranges::any_of(value, is_control))
    return bad("a header line has a control character");
  if (head.fields.size() == HttpLimits::kMaxFields)
    return refuse(EMSGSIZE, "the header has more than " + std::to_string(HttpLimits::kMaxFields) + " lines");
  head.fields.emplace_back(lowered(line.substr(0, colon)), value);
  return {};
}

std::size_t count_of(const HttpHead& head, std::string_view name) {
  return static_cast<std::size_t>(
      std::ranges::count_if(head.fields, [name](const auto& field) { return field.first == name; }));
}

// RFC 9112, 6.3, but stricter: one length or none.
Result<> put_body_length(HttpHead& head, const HttpLimits& limits) {
  const auto lengths = count_of(head, "content-length");
  if (count_of(head, "transfer-encoding") > 0) {
    if (lengths > 0)
      return bad("it has both Content-Length and Transfer-Encoding");
    return refuse(EBADE, "send the body with Content-Length: other encodings are not taken");
  }
  if (lengths == 0)
    return {};
  const std::string text = head.field("content-length");
  const char* const end = text.data() + text.size();
  const bool is_number = std::ranges::all_of(text, [](char letter) { return letter >= '0' && letter <= '9'; });
  const auto parsed = std::from_chars(text.data(), end, head.body_bytes);
  if (lengths > 1 || text.empty() || !is_number)
    return bad("Content-Length has to be one number");
  if (parsed.ec != std::errc{} || head.body_bytes > limits.body_bytes)
    return refuse(EFBIG, "the body has more than " + std::to_string(limits.body_bytes) + " bytes");
  return {};
}

}  // namespace

std::string HttpHead::field(std::string_view name) const {
  std::string joined;
  bool is_first = true;
  for (const auto& [other, value] : fields) {
    if (other != name)
      continue;
    joined += (is_first ? "" : ", ") + value;
    is_first = false;
  }
  return joined;
}

bool HttpHead::keeps_alive() const {
  const std::string connection = lowered(field("connection"));
  return is_1_0 ? connection == "keep-alive" : connection.find("close") == std::string::npos;
}

Result<std::optional<std::size_t>> head_length(std::string_view bytes, const HttpLimits& limits) {
  const auto line_end = bytes.find(kLineEnd);
  if (std::min(line_end, bytes.size()) > limits.line_bytes)
    return refuse(ENAMETOOLONG, "the request line has more than " + std::to_string(limits.line_bytes) + " bytes");
  const auto end = bytes.find(kHeadEnd);
  const auto length = end == std::string_view::npos ? bytes.size() : end + kHeadEnd.size();
  if (length > limits.head_bytes)
    return refuse(EMSGSIZE, "the header has more than " + std::to_string(limits.head_bytes) + " bytes");
  if (end == std::string_view::npos)
    return std::optional<std::size_t>{};
  return std::optional(length);
}

Result<HttpHead> parse_head(std::string_view bytes, const HttpLimits& limits) {
  if (!bytes.ends_with(kHeadEnd))
    return bad("it has no end");
  HttpHead head;
  TRY(put_request_line(head, take_line(bytes)));
  while (bytes != kLineEnd && !bytes.empty())
    TRY(put_field(head, take_line(bytes)));
  if (count_of(head, "host") > 1 || (!head.is_1_0 && count_of(head, "host") == 0))
    return bad("it has to have one Host");
  TRY(put_body_length(head, limits));
  return head;
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '%') {
      plain += text[at];
      continue;
    }
    unsigned code = 0;
    const char* const digits = text.data() + at + 1;
    if (text.size() - at < 3 || std::from_chars(digits, digits + 2, code, 16).ptr != digits + 2)
      return std::nullopt;
    plain += static_cast<char>(code);
    at += 2;
  }
  return plain;
}

}  // namespace skbtrail
