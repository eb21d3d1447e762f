#include "api/http_connection.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace skbtrail {
namespace {

using Clock = SocketStream::Clock;

// How late a stream sees that its reader has left, or that the agent ends.
constexpr std::chrono::milliseconds kLook{200};

std::string text_of(const std::vector<std::string>& lines, StreamForm form) {
  std::string text;
  for (const std::string& line : lines) {
    if (form == StreamForm::ServerSentEvents)
      text.append("data: ").append(line).append("\n\n");
    else
      text.append(line).append("\n");
  }
  return text;
}

// Means nothing to whoever reads the events.
std::string_view heartbeat_of(StreamForm form) {
  return form == StreamForm::ServerSentEvents ? ":\n\n" : "\n";
}

// A browser would take up the stream again unless it is told that nothing more comes.
std::string_view farewell_of(StreamForm form) {
  return form == StreamForm::ServerSentEvents ? "event: end\ndata: {}\n\n" : "";
}

// The client has asked for something that HTTP, not what stands behind it, refuses.
bool is_of_client(int code) {
  return http_status_of(code) < 500 || code == EPROTONOSUPPORT;
}

}  // namespace

void HttpConnection::serve() {
  if (!stream_.handshake(Clock::now() + settings_.patience.head))
    return;
  Wait patience{.first_byte = settings_.patience.head, .rest = settings_.patience.head};
  for (std::size_t requests = 1; requests <= settings_.requests && !stream_.is_stopping(); ++requests) {
    const auto after = serve_one(patience, requests == settings_.requests);
    if (!after)
      return;
    if (*after == After::Close)
      break;
    patience.first_byte = settings_.patience.idle;
  }
  stream_.finish(settings_.patience.finish);
}

void HttpConnection::refuse_all() {
  if (!stream_.handshake(Clock::now() + settings_.patience.finish))
    return;
  // Read first: an answer that comes before the request is lost with many clients.
  (void)read_head({.first_byte = settings_.patience.finish, .rest = settings_.patience.finish});
  send_failure(refuse(EMFILE, "too many connections are open here; try again later"));
}

Result<HttpConnection::After> HttpConnection::serve_one(Wait patience, bool is_last) {
  auto head = read_head(patience);
  if (!head && is_of_client(head.error().code)) {
    send_failure(head.error());
    return After::Close;
  }
  return answer(TRY(std::move(head)), is_last);
}

Result<HttpConnection::After> HttpConnection::answer(const HttpHead& head, bool is_last) {
  bool has_read = head.body_bytes == 0;
  std::optional<Error> broken;
  const HttpRequest request{.head = head, .peer = settings_.peer, .body = [&]() -> Result<std::string> {
                              has_read = true;
                              auto body = read_body(head);
                              if (!body && !is_of_client(body.error().code))
                                broken = body.error();
                              if (!body)
                                has_read = false;
                              return body;
                            }};
  auto answer = settings_.service.answer(request);
  if (broken)
    return *broken;
  // What was not read would be taken for the next request. Who is not known guesses once a connection.
  const bool closes =
      is_last || !has_read || answer.status == 401 || answer.stream || !head.keeps_alive() || stream_.is_stopping();
  const After after = closes ? After::Close : After::NextRequest;
  TRY(send(head, answer, after));
  return after;
}

Result<HttpHead> HttpConnection::read_head(Wait patience) {
  const std::string bytes = TRY(read_head_bytes(patience));
  return parse_head(bytes, settings_.limits);
}

Result<std::string> HttpConnection::read_head_bytes(Wait patience) {
  auto deadline = Clock::now() + patience.first_byte;
  bool has_begun = false;
  while (true) {
    if (!has_begun && !unread_.empty()) {
      has_begun = true;
      deadline = Clock::now() + patience.rest;
    }
    const auto length = TRY(head_length(unread_, settings_.limits));
    if (length) {
      std::string head = unread_.substr(0, *length);
      unread_.erase(0, *length);
      return head;
    }
    auto more = read_more(deadline);
    // Who has sent nothing is not owed an answer.
    if (!more && !has_begun)
      return refuse(ECONNRESET, "nothing more was asked for");
    TRY(std::move(more));
  }
}

Result<std::string> HttpConnection::read_body(const HttpHead& head) {
  const auto deadline = Clock::now() + settings_.patience.body;
  const auto length = static_cast<std::size_t>(head.body_bytes);
  // curl waits for this before it sends a long one.
  if (unread_.size() < length && !head.is_1_0 && head.field("expect") == "100-continue")
    TRY(stream_.write("HTTP/1.1 100 Continue\r\n\r\n", settings_.patience.write));
  while (unread_.size() < length)
    TRY(read_more(deadline));
  std::string body = unread_.substr(0, length);
  unread_.erase(0, length);
  return body;
}

Result<> HttpConnection::read_more(Clock::time_point deadline) {
  std::array<char, 16384> bytes;
  const std::size_t got = TRY(stream_.read(bytes, deadline));
  if (got == 0)
    return refuse(ECONNRESET, "the client has left");
  unread_.append(bytes.data(), got);
  return {};
}

Result<> HttpConnection::send(const HttpHead& head, HttpAnswer& answer, After after) {
  if (answer.stream)
    return send_stream(head, answer);
  std::string bytes = answer_head(answer, after == After::NextRequest, false);
  if (head.method != "HEAD")
    bytes += answer.body;
  return stream_.write(bytes, settings_.patience.write, Clock::now() + settings_.patience.answer);
}

Result<> HttpConnection::send_stream(const HttpHead& head, HttpAnswer& answer) {
  const bool is_chunked = !head.is_1_0;
  TRY(stream_.write(answer_head(answer, false, is_chunked), settings_.patience.write));
  TRY(pass_on(*answer.stream, answer.form, is_chunked));
  TRY(send_part(farewell_of(answer.form), is_chunked));
  return is_chunked ? stream_.write("0\r\n\r\n", settings_.patience.write) : Result<>{};
}

// Until the session, the reader or the agent ends. While this waits for a slow reader the stream counts what he loses.
Result<> HttpConnection::pass_on(EventStream& events, StreamForm form, bool is_chunked) {
  auto told = Clock::now();
  while (!stream_.is_stopping()) {
    const auto next = events.next(kLook);
    if (stream_.other_end_has_left())
      return refuse(ECONNRESET, "the reader has left");
    const auto now = Clock::now();
    if (!next.lines.empty())
      TRY(send_part(text_of(next.lines, form), is_chunked));
    else if (now - told >= settings_.patience.heartbeat)
      TRY(send_part(heartbeat_of(form), is_chunked));
    else if (!next.ended)
      continue;
    told = now;
    if (next.ended)
      return {};
  }
  return {};
}

Result<> HttpConnection::send_part(std::string_view part, bool is_chunked) {
  if (part.empty())
    return {};  // an empty chunk would be the end
  if (!is_chunked)
    return stream_.write(part, settings_.patience.write);
  std::array<char, 16> size;
  const char* const end = std::to_chars(size.data(), size.data() + size.size(), part.size(), 16).ptr;
  std::string chunk(size.data(), static_cast<std::size_t>(end - size.data()));
  chunk.append("\r\n").append(part).append("\r\n");
  return stream_.write(chunk, settings_.patience.write);
}

void HttpConnection::send_failure(const Error& error) {
  const auto answer = failure_answer(error);
  if (stream_.write(answer_head(answer, false, false) + answer.body, settings_.patience.write))
    stream_.finish(settings_.patience.finish);
}

}  // namespace skbtrail
