#pragma once
// MetricsServer: answers GET /metrics, /healthz and /readyz over HTTP, without authentication: listen where only those
// may come who may know the names of pods.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "api/health.h"
#include "api/http_server.h"
#include "api/listen_address.h"
#include "base/log_level.h"
#include "base/result.h"
#include "sink/exposition.h"

namespace skbtrail {

class MetricsServer final {
public:
  // Gives the page, or why there is none now. Called by the threads of the server, several at once.
  using Page = std::function<Result<std::string>(ExpositionFormat)>;

  // Each connection has one request: scrapes are seconds apart, and who keeps his open would take the place of another.
  static constexpr HttpServer::Limits kLimits{
      .http = {.line_bytes = 2U << 10, .head_bytes = 16U << 10, .body_bytes = 0},
      .patience = {.head = std::chrono::seconds(5),
                   .write = std::chrono::seconds(5),
                   .answer = std::chrono::seconds(15)},
      .requests = 1,
      .connections = 32};

  struct Settings {
    // Each is served where it is given; one at least is.
    Page page = nullptr;
    HealthSource health = nullptr;
    HttpServer::Limits limits = kLimits;
    std::string name = "metrics";  // of its threads: 8 letters at most
    // What the one who runs the agent should know, one line each; called by the server's threads.
    Teller tell = tell_nobody;
  };

  // Listens when it returns.
  static Result<std::unique_ptr<MetricsServer>> start(const ListenAddress& address, Settings settings);

  // The real one, also when port 0 was asked for.
  std::uint16_t port() const { return server_->port(); }

private:
  class Pages final : public HttpService {
  public:
    Pages(Page page, HealthSource health) : page_(std::move(page)), health_(std::move(health)) {}
    HttpAnswer answer(const HttpRequest& request) override;

  private:
    HttpAnswer metrics(const HttpHead& head) const;
    HttpAnswer nowhere() const;

    Page page_;
    HealthSource health_;
  };

  MetricsServer(Page page, HealthSource health) : pages_(std::move(page), std::move(health)) {}

  Pages pages_;
  std::unique_ptr<HttpServer> server_;  // last: it uses the pages
};

}  // namespace skbtrail
