#include "api/rest_server.h"

#include <utility>

namespace skbtrail {

Result<std::unique_ptr<RestServer>> RestServer::serve_on(Listener listener, std::unique_ptr<TlsIdentity> tls,
                                                         const Settings& settings) {
  std::unique_ptr<RestServer> server{new RestServer(settings)};
  server->server_ = TRY(HttpServer::start(
      std::move(listener), std::move(tls),
      {.service = server->service_, .name = "rest", .limits = settings.limits, .tell = settings.tell}));
  return server;
}

Result<std::unique_ptr<RestServer>> RestServer::on_network(const ListenAddress& address,
                                                           const std::optional<TlsFiles>& tls,
                                                           const Settings& settings) {
  std::unique_ptr<TlsIdentity> identity;
  if (tls)
    identity = TRY(TlsIdentity::open(tls->cert, tls->key, settings.tell));
  auto listener = TRY(Listener::on_network(address, tls ? Listener::Reach::Anywhere : Listener::Reach::Loopback));
  return serve_on(std::move(listener), std::move(identity), settings);
}

Result<std::unique_ptr<RestServer>> RestServer::on_path(const std::string& path, const Settings& settings) {
  return serve_on(TRY(Listener::on_path(path)), nullptr, settings);
}

}  // namespace skbtrail
