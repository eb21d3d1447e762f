#include "api/metrics_server.h"

#include <utility>

namespace skbtrail {
namespace {

HttpAnswer text(int status, std::string body) {
  return {.status = status, .content_type = "text/plain; charset=utf-8", .body = std::move(body)};
}

HttpAnswer health_answer(HealthQuestion question, const HealthSource& health) {
  auto page = health_page(question, health(question));
  return text(page.status, std::move(page.text));
}

}  // namespace

HttpAnswer MetricsServer::Pages::answer(const HttpRequest& request) {
  const HttpHead& head = request.head;
  const bool is_metrics = page_ && head.path == "/metrics";
  const bool is_alive = health_ && head.path == "/healthz";
  const bool is_ready = health_ && head.path == "/readyz";
  if (!is_metrics && !is_alive && !is_ready)
    return nowhere();
  if (head.method != "GET" && head.method != "HEAD") {
    HttpAnswer answer = text(405, "there is only GET here\n");
    answer.fields.emplace_back("Allow", "GET, HEAD");
    return answer;
  }
  if (is_metrics)
    return metrics(head);
  return health_answer(is_alive ? HealthQuestion::Alive : HealthQuestion::Ready, health_);
}

HttpAnswer MetricsServer::Pages::metrics(const HttpHead& head) const {
  const auto format = exposition_format_for(head.field("accept"));
  auto page = page_(format);
  if (!page)
    return text(503, page.error().message + "\n");
  HttpAnswer answer;
  answer.content_type = std::string(content_type_of(format));
  answer.body = std::move(*page);
  return answer;
}

HttpAnswer MetricsServer::Pages::nowhere() const {
  const std::string there = page_ && health_ ? "/metrics, /healthz and /readyz"
                            : page_          ? "/metrics"
                                             : "/healthz and /readyz";
  return text(404, "there is only " + there + " here\n");
}

Result<std::unique_ptr<MetricsServer>> MetricsServer::start(const ListenAddress& address, Settings settings) {
  auto listener = TRY(Listener::on_network(address, Listener::Reach::Anywhere));
  std::unique_ptr<MetricsServer> server{new MetricsServer(std::move(settings.page), std::move(settings.health))};
  server->server_ = TRY(HttpServer::start(std::move(listener), nullptr,
                                          {.service = server->pages_,
                                           .name = std::move(settings.name),
                                           .limits = settings.limits,
                                           .tell = std::move(settings.tell)}));
  return server;
}

}  // namespace skbtrail
