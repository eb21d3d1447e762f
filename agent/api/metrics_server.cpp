#include "api/metrics_server.h"

#include <httplib.h>
#include <sys/socket.h>

#include <atomic>
#include <charconv>
#include <string_view>
#include <thread>
#include <utility>

namespace skbtrail {
namespace {

constexpr std::size_t kThreads = 4;
constexpr time_t kPatienceSeconds = 5;
constexpr std::size_t kRequestBytes = 8192;  // of a body, which nobody needs to send

// The library's own choice is SO_REUSEPORT, with which two agents would share the port and each see half the scrapes.
void allow_restart(int socket) {
  const int yes = 1;
  (void)::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
}

std::string text_of(const ListenAddress& address) {
  const bool is_v6 = address.host.find(':') != std::string::npos;
  return (is_v6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

class HttpServer final : public MetricsServer {
public:
  HttpServer(Page page, HealthSource health) : page_(std::move(page)), health_(std::move(health)) {
    server_.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
    server_.set_socket_options(allow_restart);
    server_.set_read_timeout(kPatienceSeconds);
    server_.set_write_timeout(kPatienceSeconds);
    // A connection that waits for its next request would hold a thread; scrapes are seconds apart.
    server_.set_keep_alive_max_count(1);
    server_.set_payload_max_length(kRequestBytes);
    if (page_)
      server_.Get("/metrics",
                  [this](const httplib::Request& request, httplib::Response& response) { answer(request, response); });
    if (health_) {
      answer_health("/healthz", HealthQuestion::Alive);
      answer_health("/readyz", HealthQuestion::Ready);
    }
    const std::string there = page_ && health_ ? "/metrics, /healthz and /readyz"
                              : page_          ? "/metrics"
                                               : "/healthz and /readyz";
    server_.set_error_handler([there](const httplib::Request&, httplib::Response& response) {
      if (response.body.empty())
        response.set_content("there is only " + there + " here\n", "text/plain");
    });
  }

  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  ~HttpServer() override {
    server_.stop();
    if (thread_.joinable())
      thread_.join();
  }

  Result<> listen(const ListenAddress& address) {
    errno = 0;
    const int port = address.port == 0                                  ? server_.bind_to_any_port(address.host)
                     : server_.bind_to_port(address.host, address.port) ? address.port
                                                                        : -1;
    const int err = errno;
    if (port <= 0)
      return fail(err ? err : EADDRNOTAVAIL, "listen on '" + text_of(address) + "'");
    port_ = static_cast<std::uint16_t>(port);
    thread_ = std::thread([this] {
      (void)server_.listen_after_bind();
      ended_ = true;
    });
    // Until then stop() would not be heard.
    while (!server_.is_running() && !ended_)
      std::this_thread::yield();
    if (ended_)
      return refuse(EIO, "listen on '" + text_of(address) + "': the server ended at once");
    return {};
  }

  std::uint16_t port() const override { return port_; }

private:
  void answer(const httplib::Request& request, httplib::Response& response) const {
    const auto format = exposition_format_for(request.get_header_value("Accept"));
    const auto page = page_(format);
    if (page) {
      response.set_content(*page, std::string(content_type_of(format)));
      return;
    }
    response.status = 503;
    response.set_content(page.error().message + "\n", "text/plain");
  }

  void answer_health(const std::string& path, HealthQuestion question) {
    server_.Get(path, [this, question](const httplib::Request&, httplib::Response& response) {
      const auto page = health_page(question, health_(question));
      response.status = page.status;
      response.set_content(page.text, "text/plain");
    });
  }

  Page page_;
  HealthSource health_;
  httplib::Server server_;
  std::thread thread_;
  std::atomic<bool> ended_{false};
  std::uint16_t port_ = 0;
};

}  // namespace

Result<ListenAddress> parse_listen_address(const std::string& text) {
  const auto colon = text.rfind(':');
  ListenAddress address;
  const char* last = text.data() + text.size();
  const auto parsed = colon == std::string::npos ? std::from_chars_result{last, std::errc::invalid_argument}
                                                 : std::from_chars(text.data() + colon + 1, last, address.port);
  if (parsed.ec != std::errc{} || parsed.ptr != last)
    return refuse(EINVAL, "listen address '" + text + "': write ADDRESS:PORT, such as 127.0.0.1:9464 or [::]:9464");
  address.host = text.substr(0, colon);
  const bool bracketed = address.host.starts_with('[') && address.host.ends_with(']');
  if (bracketed)
    address.host = address.host.substr(1, address.host.size() - 2);
  else if (address.host.find(':') != std::string::npos)
    return refuse(EINVAL, "listen address '" + text + "': an IPv6 address stands in brackets, such as [::1]:9464");
  if (address.host.empty())
    address.host = "::";
  return address;
}

Result<std::unique_ptr<MetricsServer>> MetricsServer::start(const ListenAddress& address, Page page,
                                                            HealthSource health) {
  auto server = std::make_unique<HttpServer>(std::move(page), std::move(health));
  TRY(server->listen(address));
  return std::unique_ptr<MetricsServer>{std::move(server)};
}

}  // namespace skbtrail
