#include "api/rest_server.h"

#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "api/listener.h"
#include "api/peer_authorizer.h"
#include "support/scratch_folder.h"
#include "unit/api/http_client.h"
#include "unit/api/rest_fixture.h"

using namespace skbtrail;
using namespace skbtrail::test;
using namespace std::chrono_literals;

namespace {

const SessionKey kWeb{.namespace_name = "shop", .name = "web"};
const ListenAddress kLoopback{.host = "127.0.0.1", .port = 0};

// A server on the loopback interface in the clear, with bounds that a test need not wait for.
struct Served {
  explicit Served(RestServer::Limits wanted = {}) {
    auto started =
        RestServer::on_network(kLoopback, std::nullopt, {.api = rest.api, .judge = rest.judge, .limits = wanted});
    REQUIRE(started);
    server = std::move(*started);
  }

  HttpClient client() const { return HttpClient{server->port()}; }
  // The whole answer to one request on a connection of its own.
  std::string ask(const std::string& text) const {
    auto one = client();
    REQUIRE(one.send(text));
    return one.read_all();
  }
  void start_session(const std::string& name = "web") const {
    REQUIRE(
        ask(request_text("POST", kSessions, "Connection: close\r\n", session_text(name))).starts_with("HTTP/1.1 201 "));
  }

  RestFixture rest;
  std::unique_ptr<RestServer> server;  // last: it uses the others
};

RestServer::Limits hasty() {
  RestServer::Limits limits;
  limits.patience = {.head = 1s, .body = 1s, .idle = 1s, .write = 1s, .finish = 500ms, .heartbeat = 100ms};
  return limits;
}

// As an agent that was killed leaves it.
void leave_socket(const std::string& path) {
  const UniqueFd left{::socket(AF_UNIX, SOCK_STREAM, 0)};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  REQUIRE(::bind(left.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
}

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size()))
    ++count;
  return count;
}

}  // namespace

TEST_CASE("in the clear only the loopback interface is listened on") {
  RestFixture rest;
  for (const char* host : {"0.0.0.0", "::"}) {
    const auto refused =
        RestServer::on_network({.host = host, .port = 0}, std::nullopt, {.api = rest.api, .judge = rest.judge});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == EPERM);
  }
  CHECK_FALSE(Listener::on_network({.host = "no such host", .port = 1}, Listener::Reach::Anywhere));
  const auto first = Listener::on_network(kLoopback, Listener::Reach::Loopback);
  REQUIRE(first);
  CHECK_FALSE(Listener::on_network({.host = "127.0.0.1", .port = first->port()}, Listener::Reach::Loopback));
}

TEST_CASE("one connection has several requests, also when they come at once or byte by byte") {
  Served served;
  auto client = served.client();
  const std::string one = request_text("GET", "/healthz");
  REQUIRE(client.send(one + one));
  for (const char letter : request_text("POST", kSessions, "", session_text("web")))
    REQUIRE(client.send(std::string(1, letter)));
  REQUIRE(client.send(request_text("GET", kSessions + "/web", "Connection: close\r\n")));
  const auto answers = client.read_all();
  CHECK(count_of(answers, "HTTP/1.1 200 OK\r\n") == 3);
  CHECK(count_of(answers, "HTTP/1.1 201 Created\r\n") == 1);
  CHECK(count_of(answers, "Connection: keep-alive") == 3);
  CHECK(count_of(answers, "Connection: close") == 1);
}

TEST_CASE("each bound of a request is told, and the connection ends") {
  Served served;
  const struct {
    std::string request;
    std::string status;
  } cases[] = {
      {"nonsense\r\n\r\n", "400"},
      {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", "505"},
      {"GET /" + std::string(9000, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", "414"},
      {request_text("GET", "/healthz", "A: " + std::string(17'000, 'a') + "\r\n"), "431"},
      {"POST " + kSessions + " HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n" + std::string(2000, 'a'), "413"},
      {"POST " + kSessions + " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "411"},
  };
  for (const auto& one : cases) {
    CAPTURE(one.status);
    auto client = served.client();
    REQUIRE(client.send(one.request));
    CHECK(client.read_all().starts_with("HTTP/1.1 " + one.status + " "));
    CHECK(client.sees_end());
    CHECK(client.read_all().find("\"kind\":\"Status\"") != std::string::npos);
  }
}

TEST_CASE("a body that was not read is not taken for the next request") {
  Served served;
  const std::string inner = request_text("DELETE", kSessions + "/web");
  served.start_session();
  const auto answer =
      served.ask("POST " + kSessions + " HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(inner.size()) +
                 "\r\n\r\n" + inner);
  CHECK(answer.starts_with("HTTP/1.1 401 "));
  CHECK(count_of(answer, "HTTP/1.1 ") == 1);
  CHECK(served.rest.control.find(kWeb));
}

TEST_CASE("an answer to HEAD has no body, and whoever waits for 100 gets it") {
  Served served;
  const auto head = served.ask(request_text("HEAD", kSessions, "Connection: close\r\n"));
  CHECK(head.starts_with("HTTP/1.1 405 "));
  CHECK(head.ends_with("\r\n\r\n"));
  auto client = served.client();
  const std::string text =
      request_text("POST", kSessions, "Expect: 100-continue\r\nConnection: close\r\n", session_text("web"));
  const auto body = text.find("\r\n\r\n") + 4;
  REQUIRE(client.send(text.substr(0, body)));
  CHECK(client.read_until("Continue\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
  REQUIRE(client.send(text.substr(body)));
  CHECK(client.read_all().find("HTTP/1.1 201 ") != std::string::npos);
}

TEST_CASE("who begins a request and does not end it is told so, and who sends nothing is let go") {
  Served served{hasty()};
  auto slow = served.client();
  REQUIRE(slow.send("GET / HTTP/1.1\r\nHost: "));
  auto slow_body = served.client();
  REQUIRE(slow_body.send(request_text("POST", kSessions, "", session_text("web")).substr(0, 250)));
  auto silent = served.client();
  auto idle = served.client();
  REQUIRE(idle.send(request_text("GET", "/healthz")));
  CHECK(slow.read_all().starts_with("HTTP/1.1 408 "));
  CHECK(slow.sees_end());
  CHECK(slow_body.read_all().starts_with("HTTP/1.1 408 "));
  CHECK(silent.sees_end());
  CHECK(silent.read_all().empty());
  CHECK(idle.sees_end());
  CHECK(count_of(idle.read_all(), "HTTP/1.1 ") == 1);
}

TEST_CASE("a request that comes drop by drop has as long as one that does not come") {
  Served served{hasty()};
  auto client = served.client();
  REQUIRE(client.send("GET / HTTP/1.1\r\n"));
  const auto started = std::chrono::steady_clock::now();
  while (client.send("A: b\r\n") && std::chrono::steady_clock::now() - started < 10s)
    std::this_thread::sleep_for(20ms);
  // It was cut off long before it would have been too long: 20 ms for 6 of 16,384 bytes.
  CHECK(std::chrono::steady_clock::now() - started < 8s);
}

TEST_CASE("what fails in an answer ends its connection, and nothing else") {
  RestFixture rest;
  RestApi api{{.control = rest.control,
               .node = "n1",
               .version = "1",
               .pods = [] { return std::string(); },
               .health = [](HealthQuestion question) -> std::vector<HealthCheck> {
                 if (question == HealthQuestion::Ready)
                   throw std::runtime_error("not foreseen");
                 return {};
               },
               .audit = [](const AuditEntry&) {}}};
  const auto server = RestServer::on_network(kLoopback, std::nullopt, {.api = api, .judge = rest.judge});
  REQUIRE(server);
  HttpClient client{(*server)->port()};
  REQUIRE(client.send(request_text("GET", "/readyz")));
  CHECK(client.sees_end());
  CHECK(client.read_all().empty());
  HttpClient other{(*server)->port()};
  REQUIRE(other.send(request_text("GET", "/healthz", "Connection: close\r\n")));
  CHECK(other.read_all().starts_with("HTTP/1.1 200 "));
}

TEST_CASE("who is not known has one try a connection") {
  Served served;
  const std::string stranger = "GET " + kSessions + " HTTP/1.1\r\nHost: n1\r\nAuthorization: Bearer guess\r\n\r\n";
  const auto answer = served.ask(stranger + stranger);
  CHECK(answer.starts_with("HTTP/1.1 401 "));
  CHECK(answer.find("Connection: close\r\n") != std::string::npos);
  CHECK(count_of(answer, "HTTP/1.1 ") == 1);
}

TEST_CASE("a connection beyond the bound has no longer for its head than one that is silent") {
  RestServer::Limits limits = hasty();
  limits.connections = 1;
  limits.patience.head = limits.patience.idle = 60s;
  Served served{limits};
  const auto first = served.client();
  REQUIRE(first.send("G"));
  auto more = served.client();
  REQUIRE(more.send("GET / HT"));
  CHECK(more.read_all().starts_with("HTTP/1.1 503 "));
  CHECK(more.sees_end());
}

TEST_CASE("connections beyond the bound are told so, and those after them have room again") {
  RestServer::Limits limits = hasty();
  limits.connections = 2;
  limits.patience.head = limits.patience.idle = limits.patience.finish = 20s;
  Served served{limits};
  std::vector<HttpClient> open;
  for (int i = 0; i < 2; ++i) {
    open.push_back(served.client());
    REQUIRE(open.back().send(request_text("GET", "/healthz")));
    REQUIRE(open.back().read_until("passed").starts_with("HTTP/1.1 200 "));
  }
  auto more = served.client();
  REQUIRE(more.send(request_text("GET", "/healthz")));
  const auto answer = more.read_all();
  CHECK(answer.starts_with("HTTP/1.1 503 "));
  CHECK(answer.find("too many connections") != std::string::npos);
  open.pop_back();
  const auto deadline = std::chrono::steady_clock::now() + HttpClient::kPatience;
  std::string later;
  while (!later.starts_with("HTTP/1.1 200 ") && std::chrono::steady_clock::now() < deadline)
    later = served.ask(request_text("GET", "/healthz", "Connection: close\r\n"));
  CHECK(later.starts_with("HTTP/1.1 200 "));
}

TEST_CASE("a stream gives the events as they come, and ends with its session") {
  Served served;
  served.start_session();
  auto plain = served.client();
  auto pushed = served.client();
  auto old = served.client();
  REQUIRE(plain.send(request_text("GET", kSessions + "/web/events")));
  REQUIRE(pushed.send(request_text("GET", kSessions + "/web/events", "Accept: text/event-stream\r\n")));
  REQUIRE(old.send("GET " + kSessions + "/web/events HTTP/1.0\r\nAuthorization: Bearer anna\r\n\r\n"));
  for (HttpClient* client : {&plain, &pushed, &old})
    REQUIRE(client->read_until("\r\n\r\n").starts_with("HTTP/1.1 200 "));
  auto& control = served.rest.control;
  control.tell(kWeb, "{\"seq\":1}");
  for (HttpClient* client : {&plain, &pushed, &old})
    (void)client->read_until("{\"seq\":1}");
  control.tell(kWeb, "{\"seq\":2}");
  REQUIRE(control.remove(kWeb));
  CHECK(plain.read_all().ends_with("\r\n\r\na\r\n{\"seq\":1}\n\r\na\r\n{\"seq\":2}\n\r\n0\r\n\r\n"));
  CHECK(plain.read_all().find("Content-Type: application/x-ndjson\r\n") != std::string::npos);
  CHECK(pushed.read_all().find("data: {\"seq\":1}\n\n") != std::string::npos);
  CHECK(pushed.read_all().find("data: {\"seq\":2}\n\n") != std::string::npos);
  CHECK(pushed.read_all().find("event: end\n") != std::string::npos);
  CHECK(old.read_all().ends_with("\r\n\r\n{\"seq\":1}\n{\"seq\":2}\n"));
  CHECK(old.sees_end());
}

TEST_CASE("a stream without events has heartbeats, and its place is free when its reader leaves") {
  Served served{hasty()};
  served.start_session();
  auto plain = served.client();
  auto pushed = served.client();
  REQUIRE(plain.send(request_text("GET", kSessions + "/web/events")));
  REQUIRE(pushed.send(request_text("GET", kSessions + "/web/events", "Accept: text/event-stream\r\n")));
  CHECK(plain.read_until("\r\n1\r\n\n\r\n").find("\r\n1\r\n\n\r\n") != std::string::npos);
  CHECK(pushed.read_until("\r\n3\r\n:\n\n\r\n").find("\r\n3\r\n:\n\n\r\n") != std::string::npos);
  plain.close();
  pushed.close();
  const auto deadline = std::chrono::steady_clock::now() + HttpClient::kPatience;
  std::vector<HttpClient> readers;
  while (readers.size() < RestApi::kMaxStreams && std::chrono::steady_clock::now() < deadline) {
    auto reader = served.client();
    REQUIRE(reader.send(request_text("GET", kSessions + "/web/events")));
    if (reader.read_until("\r\n\r\n").starts_with("HTTP/1.1 200 "))
      readers.push_back(std::move(reader));
  }
  CHECK(readers.size() == RestApi::kMaxStreams);
}

TEST_CASE("a reader that does not read loses its own events and holds up nobody else") {
  Served served;
  served.start_session();
  auto& control = served.rest.control;
  auto slow = served.client();
  auto good = served.client();
  for (HttpClient* client : {&slow, &good}) {
    REQUIRE(client->send(request_text("GET", kSessions + "/web/events")));
    REQUIRE(client->read_until("\r\n\r\n").starts_with("HTTP/1.1 200 "));
  }
  // More than the slow one's queue and both socket buffers hold.
  const std::string filler(2000, 'x');
  constexpr int kEvents = 20'000;
  for (int number = 1; number <= kEvents; ++number) {
    control.tell(kWeb, "{\"seq\":" + std::to_string(number) + ",\"x\":\"" + filler + "\"}");
    if (number % 100 == 0) {
      // The good one keeps up: it sees each hundredth before more come.
      const std::string wanted = "{\"seq\":" + std::to_string(number) + ",";
      REQUIRE(good.read_until(wanted).find(wanted) != std::string::npos);
      REQUIRE(good.read_until(wanted).find("\"cause\"") == std::string::npos);
      good.forget();
    }
  }
  REQUIRE(control.remove(kWeb));
  const auto& late = slow.read_all();
  CHECK(late.find("\"type\":\"loss\"") != std::string::npos);
  CHECK(late.find("\"cause\":\"reader\"") != std::string::npos);
  CHECK(late.ends_with("0\r\n\r\n"));
}

TEST_CASE("a server ends at once with streams and idle connections open") {
  auto served = std::make_unique<Served>();
  served->start_session();
  auto stream = served->client();
  auto idle = served->client();
  auto begun = served->client();
  REQUIRE(stream.send(request_text("GET", kSessions + "/web/events")));
  REQUIRE(stream.read_until("\r\n\r\n").starts_with("HTTP/1.1 200 "));
  REQUIRE(begun.send("GET / HT"));
  const auto started = std::chrono::steady_clock::now();
  served->server.reset();
  CHECK(std::chrono::steady_clock::now() - started < 3s);
  CHECK(stream.read_all().ends_with("\r\n0\r\n\r\n"));
  CHECK(stream.sees_end());
  CHECK(idle.sees_end());
  CHECK(begun.sees_end());
}

TEST_CASE("a unix socket is for its owner, and its file comes and goes with the server") {
  const ScratchFolder folder;
  RestFixture rest;
  PeerAuthorizer peers{::geteuid()};
  const std::string path = folder.path("run/rest.sock");  // its folder is made
  {
    const auto server = RestServer::on_path(path, {.api = rest.api, .judge = peers});
    REQUIRE(server);
    CHECK((*server)->port() == 0);
    struct stat status {};
    REQUIRE(::lstat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0600);
    HttpClient client{path};
    REQUIRE(client.is_connected());
    // Without a token: the kernel says who it is.
    REQUIRE(client.send(
        "POST " + kSessions + " HTTP/1.1\r\nHost: n1\r\nContent-Type: application/json\r\nContent-Length: " +
        std::to_string(session_text("web").size()) + "\r\nConnection: close\r\n\r\n" + session_text("web")));
    CHECK(client.read_all().starts_with("HTTP/1.1 201 "));
    CHECK(rest.audit.at(0).user == "uid " + std::to_string(::geteuid()));
    const auto second = RestServer::on_path(path, {.api = rest.api, .judge = peers});
    REQUIRE_FALSE(second);
    CHECK(second.error().code == EADDRINUSE);
    CHECK(HttpClient{path}.is_connected());
  }
  CHECK(::access(path.c_str(), F_OK) != 0);
}

TEST_CASE("whoever is neither root nor the agent's user may nothing over its socket") {
  const ScratchFolder folder;
  RestFixture rest;
  const bool is_root = ::geteuid() == 0;
  PeerAuthorizer peers{is_root ? 0 : ::geteuid() + 1};
  const std::string path = folder.path("rest.sock");
  const auto server = RestServer::on_path(path, {.api = rest.api, .judge = peers});
  REQUIRE(server);
  // Somebody has opened the file for all; the call is of this thread alone.
  REQUIRE(::chmod(path.c_str(), 0666) == 0);
  REQUIRE(::chmod(folder.path("").c_str(), 0755) == 0);
  if (is_root)
    REQUIRE(::syscall(SYS_setresuid, -1, 1234, -1) == 0);
  HttpClient client{path};
  if (is_root)
    REQUIRE(::syscall(SYS_setresuid, -1, 0, -1) == 0);
  REQUIRE(client.is_connected());
  REQUIRE(client.send("GET " + kSessions + " HTTP/1.1\r\nHost: n1\r\nConnection: close\r\n\r\n"));
  const auto& answer = client.read_all();
  CHECK(answer.starts_with("HTTP/1.1 403 "));
  CHECK(answer.find(is_root ? "uid 1234 may do nothing here" : "may do nothing here") != std::string::npos);
}

TEST_CASE("of agents that start together one gets the socket, and its file stays") {
  const ScratchFolder folder;
  const std::string path = folder.path("rest.sock");
  constexpr int kRounds = 100;
  constexpr std::size_t kAgents = 4;
  for (int round = 0; round < kRounds; ++round) {
    // Every second time something that was left is to be replaced.
    if (round % 2 == 1)
      leave_socket(path);
    std::vector<std::unique_ptr<Listener>> listeners(kAgents);
    std::atomic<std::size_t> ready = 0;
    {
      std::vector<std::jthread> agents;
      for (auto& listener : listeners)
        agents.emplace_back([&listener, &ready, &path] {
          ++ready;
          while (ready < kAgents)
            std::this_thread::yield();
          if (auto started = Listener::on_path(path))
            listener = std::make_unique<Listener>(std::move(*started));
        });
    }
    // At most one was told that it serves, and whoever was is found.
    std::erase(listeners, nullptr);
    REQUIRE(listeners.size() == 1);
    REQUIRE(HttpClient{path}.is_connected());
    pollfd called{.fd = listeners.front()->fd(), .events = POLLIN, .revents = 0};
    REQUIRE(::poll(&called, 1, 0) == 1);
  }
  CHECK(std::filesystem::is_empty(folder.path("")));
}

TEST_CASE("a socket that a killed agent has left is replaced, and nothing else is") {
  const ScratchFolder folder;
  RestFixture rest;
  PeerAuthorizer peers{::geteuid()};
  const std::string path = folder.path("rest.sock");
  leave_socket(path);
  REQUIRE(::access(path.c_str(), F_OK) == 0);
  {
    const auto server = RestServer::on_path(path, {.api = rest.api, .judge = peers});
    REQUIRE(server);
    CHECK(HttpClient{path}.is_connected());
    // What stands there at the end is somebody else's.
    REQUIRE(::unlink(path.c_str()) == 0);
    folder.write("rest.sock", "mine");
  }
  CHECK(::access(path.c_str(), F_OK) == 0);
  const auto refused = RestServer::on_path(path, {.api = rest.api, .judge = peers});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == EEXIST);
  CHECK_FALSE(RestServer::on_path(folder.path("no/such/folder/rest.sock"), {.api = rest.api, .judge = peers}));
  CHECK_FALSE(RestServer::on_path("/" + std::string(200, 'a'), {.api = rest.api, .judge = peers}));
}
