#pragma once
// ServerClock: the API server's time, as its answers tell it. Ages of its objects are judged by this one: a clock of
// this machine that is wrong, or that somebody sets, makes no session older. Pure: time is an argument.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace skbtrail {

// Unix time of a Date field, such as "Tue, 24 Nov 2026 09:00:00 GMT"; none: it is no such thing.
std::optional<std::int64_t> time_of_http_date(const std::string& text);

class ServerClock final {
public:
  using Steady = std::chrono::steady_clock;

  // An answer of `now` said so.
  void tell(std::int64_t server_s, Steady::time_point now) { told_ = {.server_s = server_s, .at = now}; }
  // Unix time there; `own_s`, which is this machine's, until an answer has told one.
  std::int64_t now_s(Steady::time_point now, std::int64_t own_s) const {
    return told_ ? told_->server_s + std::chrono::floor<std::chrono::seconds>(now - told_->at).count() : own_s;
  }

private:
  struct Told {
    std::int64_t server_s = 0;
    Steady::time_point at{};
  };
  std::optional<Told> told_;
};

}  // namespace skbtrail
