#pragma once
// HttpServer: takes the connections of one listener and has a service answer their requests, with a bound on all that
// strangers can make it hold or wait for.

#include <cstdint>
#include <memory>
#include <string>

#include "api/http_connection.h"
#include "api/http_service.h"
#include "api/listener.h"
#include "api/tls_identity.h"
#include "base/log_level.h"
#include "base/result.h"

namespace skbtrail {

class HttpServer {
public:
  // Beyond: request line 414, header 431, body 413, time 408, connections 503 and closed. A connection has a thread of
  // its own.
  struct Limits {
    HttpLimits http = {};
    HttpPatience patience = {};
    std::size_t requests = 1000;  // of one connection; then it is closed
    std::size_t connections = 64;
    std::size_t refused = 4;  // further ones that are told so at one time; those beyond are closed without a word
  };

  struct Settings {
    HttpService& service;  // outlives this
    std::string name;      // of its threads: 8 letters at most
    Limits limits = {};
    // What the one who runs the agent should know, one line each; called by the server's thread.
    Teller tell = tell_nobody;
  };

  // Serves when it returns. `tls` null: in the clear.
  static Result<std::unique_ptr<HttpServer>> start(Listener listener, std::unique_ptr<TlsIdentity> tls,
                                                   const Settings& settings);

  // Ends all connections, streams too, within a second and whatever the service takes.
  virtual ~HttpServer() = default;
  // The real one, also when port 0 was asked for; 0: a unix socket.
  virtual std::uint16_t port() const = 0;
};

}  // namespace skbtrail
