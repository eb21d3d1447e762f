#pragma once
// HttpConnection: reads the requests of one connection, has them answered, and sends the answers and streams.

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "api/http_service.h"
#include "api/socket_stream.h"
#include "base/result.h"

namespace skbtrail {

// How long a client may take for each part of a request, whatever it sends meanwhile.
struct HttpPatience {
  std::chrono::milliseconds head{10'000};       // TLS handshake and header, each
  std::chrono::milliseconds body{30'000};       // in all
  std::chrono::milliseconds idle{15'000};       // between two requests
  std::chrono::milliseconds write{30'000};      // without taking anything of the answer
  std::chrono::milliseconds answer{60'000};     // to take all of it, if it is no stream
  std::chrono::milliseconds finish{1'000};      // to hear the last answer
  std::chrono::milliseconds heartbeat{15'000};  // of a stream that has nothing to tell
};

// Used by one thread.
class HttpConnection final {
public:
  struct Settings {
    HttpService& service;
    HttpLimits limits;
    HttpPatience patience;
    std::size_t requests;  // of this connection; then it is closed
    std::optional<uid_t> peer;
  };

  HttpConnection(SocketStream& stream, const Settings& settings) : stream_(stream), settings_(settings) {}

  // Until one of both ends it. An error is the connection's, and of interest to nobody.
  void serve();
  // Answers the first request, whatever it is, that there are too many connections.
  void refuse_all();

private:
  enum class After : std::uint8_t { NextRequest, Close };
  // For a head: until it begins, and from there until it has come.
  struct Wait {
    std::chrono::milliseconds first_byte;
    std::chrono::milliseconds rest;
  };

  Result<HttpHead> read_head(Wait patience);
  Result<std::string> read_head_bytes(Wait patience);
  Result<std::string> read_body(const HttpHead& head);
  Result<> read_more(SocketStream::Clock::time_point deadline);
  Result<After> serve_one(Wait patience, bool is_last);
  Result<After> answer(const HttpHead& head, bool is_last);
  Result<> send(const HttpHead& head, HttpAnswer& answer, After after);
  Result<> send_stream(const HttpHead& head, HttpAnswer& answer);
  Result<> pass_on(EventStream& events, StreamForm form, bool is_chunked);
  Result<> send_part(std::string_view part, bool is_chunked);
  void send_failure(const Error& error);

  SocketStream& stream_;
  Settings settings_;
  std::string unread_;  // bytes that came and belong to the next part
};

}  // namespace skbtrail
