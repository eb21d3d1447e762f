#include "api/metrics_server.h"

#include <arpa/inet.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "base/unique_fd.h"

namespace skbtrail {
namespace {

bool connect_to(int socket, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return ::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
}

UniqueFd connected(std::uint16_t port) {
  UniqueFd socket{::socket(AF_INET, SOCK_STREAM, 0)};
  REQUIRE(connect_to(socket.get(), port));
  return socket;
}

std::string ask(std::uint16_t port, const std::string& request) {
  const UniqueFd socket = connected(port);
  REQUIRE(::send(socket.get(), request.data(), request.size(), 0) == static_cast<ssize_t>(request.size()));
  std::string answer;
  char buffer[4096];
  for (ssize_t got = 0; (got = ::recv(socket.get(), buffer, sizeof(buffer), 0)) > 0;)
    answer.append(buffer, static_cast<std::size_t>(got));
  return answer;
}

std::string get(std::uint16_t port, const std::string& path, const std::string& header = "") {
  return ask(port, "GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + header + "\r\n");
}

TEST_CASE("an address that is none is refused with an example") {
  for (const char* wrong : {"", "9464", "127.0.0.1", "127.0.0.1:", "127.0.0.1:port", "127.0.0.1:70000", "::1:9464"}) {
    const auto address = parse_listen_address(wrong);
    REQUIRE_FALSE(address);
    CHECK(address.error().message.find("such as") != std::string::npos);
  }
}

TEST_CASE("addresses of both families") {
  CHECK(parse_listen_address("127.0.0.1:9464")->host == "127.0.0.1");
  CHECK(parse_listen_address("[::1]:1")->host == "::1");
  CHECK(parse_listen_address(":9464")->host == "::");
  CHECK(parse_listen_address(":9464")->port == 9464);
}

TEST_CASE("a port that is taken, or an address of somebody else, is an error") {
  const auto first =
      MetricsServer::start({.host = "127.0.0.1", .port = 0}, {.page = [](auto) { return std::string{}; }});
  REQUIRE(first);
  const auto second = MetricsServer::start({.host = "127.0.0.1", .port = (*first)->port()},
                                           {.page = [](auto) { return std::string{}; }});
  REQUIRE_FALSE(second);
  CHECK(second.error().message.find("Address already in use") != std::string::npos);
  CHECK_FALSE(MetricsServer::start({.host = "203.0.113.1", .port = 0}, {.page = [](auto) { return std::string{}; }}));
}

TEST_CASE("the page is served in the form that was asked for, and nothing else is there") {
  const auto server =
      MetricsServer::start({.host = "127.0.0.1", .port = 0}, {.page = [](ExpositionFormat format) {
                             return std::string(format == ExpositionFormat::Text ? "text page" : "open page");
                           }});
  REQUIRE(server);
  const auto port = (*server)->port();
  CHECK(get(port, "/metrics").find("text page") != std::string::npos);
  const auto open = get(port, "/metrics", "Accept: application/openmetrics-text\r\n");
  CHECK(open.find("open page") != std::string::npos);
  CHECK(open.find("Content-Type: application/openmetrics-text; version=1.0.0") != std::string::npos);
  CHECK(get(port, "/").find("404") != std::string::npos);
  const std::string post = "POST /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
  CHECK(ask(port, post).find(" 405 ") != std::string::npos);
  const auto head = ask(port, "HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(head.find("Content-Length: 9\r\n") != std::string::npos);
  CHECK(head.ends_with("\r\n\r\n"));
}

TEST_CASE("a connection has one request, so that those who keep theirs open hold no thread") {
  const auto server =
      MetricsServer::start({.host = "127.0.0.1", .port = 0}, {.page = [](auto) { return std::string("page"); }});
  REQUIRE(server);
  const std::string request = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
  // The server ends the connection, else this would wait for it until its patience ends.
  const auto answer = ask((*server)->port(), request + request);
  CHECK(answer.find("Connection: close") != std::string::npos);
  CHECK(answer.find("page") == answer.rfind("page"));
}

TEST_CASE("a request line that is too long, and a body, are refused") {
  const auto server =
      MetricsServer::start({.host = "127.0.0.1", .port = 0}, {.page = [](auto) { return std::string("page"); }});
  REQUIRE(server);
  const auto port = (*server)->port();
  CHECK(get(port, "/metrics?" + std::string(3000, 'x')).find(" 414 ") != std::string::npos);
  CHECK(ask(port, "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n").find(" 413 ") != std::string::npos);
  CHECK(get(port, "/metrics").find("page") != std::string::npos);
}

TEST_CASE("clients that say nothing keep others off for a bounded time") {
  HttpServer::Limits limits = MetricsServer::kLimits;
  limits.connections = 2;
  limits.patience.head = std::chrono::milliseconds(1500);
  const auto server = MetricsServer::start({.host = "127.0.0.1", .port = 0},
                                           {.page = [](auto) { return std::string("page"); }, .limits = limits});
  REQUIRE(server);
  const auto port = (*server)->port();
  const UniqueFd silent[] = {connected(port), connected(port)};
  CHECK(get(port, "/metrics").find("too many connections") != std::string::npos);
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  std::string answer;
  while (answer.find("page") == std::string::npos && std::chrono::steady_clock::now() < until)
    answer = get(port, "/metrics");
  CHECK(answer.find("page") != std::string::npos);
}

TEST_CASE("who takes the page slowly does not have it for ever") {
  constexpr std::size_t kBytes = 64U << 20;
  HttpServer::Limits limits = MetricsServer::kLimits;
  limits.patience.answer = std::chrono::milliseconds(500);
  const auto server = MetricsServer::start({.host = "127.0.0.1", .port = 0},
                                           {.page = [](auto) { return std::string(kBytes, 'x'); }, .limits = limits});
  REQUIRE(server);
  const UniqueFd socket = connected((*server)->port());
  const std::string request = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
  REQUIRE(::send(socket.get(), request.data(), request.size(), 0) == static_cast<ssize_t>(request.size()));
  std::string bytes(1U << 20, '\0');
  std::size_t total = 0;
  for (int pause = 0; pause < 20; ++pause) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    total += static_cast<std::size_t>(std::max<ssize_t>(::recv(socket.get(), bytes.data(), 1024, 0), 0));
  }
  // What is under way still comes, and then no more.
  for (ssize_t got = 0; (got = ::recv(socket.get(), bytes.data(), bytes.size(), 0)) > 0;)
    total += static_cast<std::size_t>(got);
  CHECK(total < kBytes);
}

TEST_CASE("health is served beside the page, alone, or not at all") {
  const HealthSource sick = [](HealthQuestion question) -> std::vector<HealthCheck> {
    return {{.name = "loop", .failure = question == HealthQuestion::Ready ? "stands still" : ""}};
  };
  const ListenAddress any{.host = "127.0.0.1", .port = 0};
  const auto page = [](auto) { return std::string("page"); };
  const auto both = MetricsServer::start(any, {.page = page, .health = sick});
  const auto alone = MetricsServer::start(any, {.health = sick});
  const auto none = MetricsServer::start(any, {.page = page});
  REQUIRE(both);
  REQUIRE(alone);
  REQUIRE(none);
  for (const auto* server : {&both, &alone}) {
    const auto ready = get((**server)->port(), "/readyz");
    CHECK(ready.find(" 503 ") != std::string::npos);
    CHECK(ready.find("[-]loop failed: stands still\nreadyz check failed\n") != std::string::npos);
    CHECK(get((**server)->port(), "/healthz").find("[+]loop ok\nhealthz check passed\n") != std::string::npos);
  }
  CHECK(get((*both)->port(), "/metrics").find("page") != std::string::npos);
  const auto nothing = get((*alone)->port(), "/metrics");
  CHECK(nothing.find(" 404 ") != std::string::npos);
  CHECK(nothing.find("there is only /healthz and /readyz here") != std::string::npos);
  CHECK(get((*none)->port(), "/healthz").find("there is only /metrics here") != std::string::npos);
}

TEST_CASE("when there is no page the reason is served") {
  const auto server = MetricsServer::start(
      {.host = "127.0.0.1", .port = 0}, {.page = [](auto) -> Result<std::string> { return refuse(EIO, "no table"); }});
  REQUIRE(server);
  const auto answer = get((*server)->port(), "/metrics");
  CHECK(answer.find(" 503 ") != std::string::npos);
  CHECK(answer.find("no table") != std::string::npos);
}

TEST_CASE("a listener that can neither take nor wait for connections says so, and goes on when it can again") {
  std::mutex mutex;
  std::set<std::string> told;
  const auto server =
      MetricsServer::start({.host = "127.0.0.1", .port = 0}, {.page = [](auto) { return std::string("page"); },
                                                              .tell =
                                                                  [&](LogLevel, const std::string& line) {
                                                                    const std::lock_guard lock{mutex};
                                                                    told.insert(line.substr(0, line.find(':')));
                                                                  }});
  REQUIRE(server);
  const auto tells = [&](const std::string& line) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (std::chrono::steady_clock::now() < deadline) {
      {
        const std::lock_guard lock{mutex};
        if (told.contains(line))
          return true;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
  };
  UniqueFd socket{::socket(AF_INET, SOCK_STREAM, 0)};
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const auto limit_to = [&](rlim_t files) {
    const rlimit limit{.rlim_cur = files, .rlim_max = before.rlim_max};
    return ::setrlimit(RLIMIT_NOFILE, &limit) == 0;
  };
  // All numbers below are in use, so that none is left for a connection; and then poll() takes no two files either.
  const bool is_short = limit_to(3) && connect_to(socket.get(), (*server)->port());
  const bool tells_first = is_short && tells("cannot take a connection now");
  const bool tells_second = limit_to(1) && tells("cannot wait for connections now");
  REQUIRE(limit_to(before.rlim_cur));
  CHECK(is_short);
  CHECK(tells_first);
  CHECK(tells_second);
  CHECK(get((*server)->port(), "/metrics").find("page") != std::string::npos);
}

}  // namespace
}  // namespace skbtrail
