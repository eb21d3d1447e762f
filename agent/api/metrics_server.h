#pragma once
// MetricsServer: answers GET /metrics, /healthz and /readyz over HTTP, without authentication: listen where only those
// may come who may know the names of pods.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "api/health.h"
#include "base/result.h"
#include "sink/exposition.h"

namespace skbtrail {

struct ListenAddress {
  std::string host;        // without brackets
  std::uint16_t port = 0;  // 0: any that is free
};

// "127.0.0.1:9464", "[::1]:9464", ":9464" (every address).
Result<ListenAddress> parse_listen_address(const std::string& text);

class MetricsServer {
public:
  // Gives the page, or why there is none now. Called by the threads of the server, several at once.
  using Page = std::function<Result<std::string>(ExpositionFormat)>;

  // Each is served where it is given; one at least is. Listens when it returns. Four threads answer one request of a
  // connection each, which has 5 s for each step; what comes meanwhile waits.
  static Result<std::unique_ptr<MetricsServer>> start(const ListenAddress& address, Page page,
                                                      HealthSource health = nullptr);

  virtual ~MetricsServer() = default;
  // The real one, also when port 0 was asked for.
  virtual std::uint16_t port() const = 0;
};

}  // namespace skbtrail
