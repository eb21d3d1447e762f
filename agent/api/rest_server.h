#pragma once
// RestServer: serves the REST API on one listener: TCP with TLS, TCP in the clear on the loopback interface, or a unix
// socket, whose other end the kernel names.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "api/http_connection.h"
#include "api/metrics_server.h"
#include "api/rest_api.h"
#include "base/result.h"

namespace skbtrail {

class RestServer {
public:
  // What strangers can make a listener hold or wait for. Beyond: request line 414, header 431, body 413, time 408,
  // connections 503 and closed; streams are RestApi's. A connection has a thread of its own.
  struct Limits {
    HttpLimits http = {};
    HttpPatience patience = {};
    std::size_t connections = 64;
    std::size_t refused = 4;  // further ones that are told so at one time; those beyond are closed without a word
  };

  struct Settings {
    RestApi& api;       // outlives this
    Authorizer& judge;  // outlives this
    Limits limits = {};
    // What the one who runs the agent should know, one line each; called by the server's thread.
    std::function<void(const std::string&)> tell = [](const std::string&) {};
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

  // Ends all connections, streams too, within a second and whatever the authorizer takes.
  virtual ~RestServer() = default;
  // The real one, also when port 0 was asked for; 0: a unix socket.
  virtual std::uint16_t port() const = 0;
};

}  // namespace skbtrail
