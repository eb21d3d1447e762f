#pragma once
// RestServer: serves the REST API on one listener: TCP with TLS, TCP in the clear on the loopback interface, or a unix
// socket, whose other end the kernel names.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "api/http_server.h"
#include "api/listen_address.h"
#include "api/rest_api.h"
#include "base/log_level.h"
#include "base/result.h"

namespace skbtrail {

class RestServer final {
public:
  // Streams are bounded by RestApi.
  using Limits = HttpServer::Limits;

  struct Settings {
    RestApi& api;       // outlives this
    Authorizer& judge;  // outlives this
    Limits limits = {};
    // What the one who runs the agent should know, one line each; called by the server's thread.
    Teller tell = tell_nobody;
  };

  struct TlsFiles {
    std::string cert;
    std::string key;
  };

  // Listens when it returns. Without `tls` only a loopback address is served (EPERM).
  static Result<std::unique_ptr<RestServer>> on_network(const ListenAddress& address,
                                                        const std::optional<TlsFiles>& tls, const Settings& settings);
  // Its file has mode 0600, replaces that of an agent which was killed, and goes with the server.
  static Result<std::unique_ptr<RestServer>> on_path(const std::string& path, const Settings& settings);

  // The real one, also when port 0 was asked for; 0: a unix socket.
  std::uint16_t port() const { return server_->port(); }

private:
  // The API as the callers of this listener meet it.
  class Judged final : public HttpService {
  public:
    Judged(RestApi& api, Authorizer& judge) : api_(api), judge_(judge) {}
    HttpAnswer answer(const HttpRequest& request) override { return api_.answer(request, judge_); }

  private:
    RestApi& api_;
    Authorizer& judge_;
  };

  explicit RestServer(const Settings& settings) : service_(settings.api, settings.judge) {}
  static Result<std::unique_ptr<RestServer>> serve_on(Listener listener, std::unique_ptr<TlsIdentity> tls,
                                                      const Settings& settings);

  Judged service_;
  std::unique_ptr<HttpServer> server_;  // last: it uses the service
};

}  // namespace skbtrail
