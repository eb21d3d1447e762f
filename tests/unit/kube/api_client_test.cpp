#include "kube/api_client.h"

#include <catch2/catch.hpp>
#include <fstream>

#include "unit/kube/api_fake.h"

using namespace skbtrail;
using namespace std::chrono_literals;
using nlohmann::json;

TEST_CASE("what the API server refuses is an error with its message and a code") {
  ApiFake server([](const Asked& asked, httplib::Response& response) {
    if (asked.target.starts_with("/gone"))
      return give(response, R"({"kind":"Status","message":"things \"x\" not found","reason":"NotFound"})", 404);
    if (asked.target.starts_with("/there"))
      return give(response, R"({"message":"exists","reason":"AlreadyExists"})", 409);
    if (asked.target.starts_with("/conflict"))
      return give(response, R"({"message":"changed","reason":"Conflict"})", 409);
    give(response, "no json", 200);
  });
  ApiClient client(server.endpoint());
  const auto gone = client.get("/gone");
  REQUIRE_FALSE(gone);
  CHECK(gone.error().code == ENOENT);
  CHECK(gone.error().message == "get /gone: the API server answers 404: things \"x\" not found");
  CHECK(client.create("/there", json::object()).error().code == EEXIST);
  CHECK(client.replace("/conflict", json::object()).error().code == EBUSY);
  CHECK(client.get("/else").error().code == EBADMSG);
}

TEST_CASE("a server that is not there is said to be so") {
  ApiClient client(std::make_shared<ApiEndpoint>(KubeConfig{.server = "http://127.0.0.1:1"}));
  const auto answer = client.get("/x");
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == ECONNREFUSED);
  CHECK(answer.error().message == "get /x: API server http://127.0.0.1:1: it cannot be reached");
}

TEST_CASE("a list is read in pages until there is no more") {
  ApiFake server([](const Asked& asked, httplib::Response& response) {
    if (asked.target == "/things?limit=25")
      return give(response, R"({"metadata":{"resourceVersion":"7","continue":"a+b="},"items":[{"n":1},{"n":2}]})");
    if (asked.target == "/things?limit=25&continue=a%2Bb%3D")
      return give(response, R"({"metadata":{"resourceVersion":"7"},"items":[{"n":3}]})");
    give(response, "{}", 500);
  });
  const auto endpoint = server.endpoint();
  ApiClient client(endpoint);
  const auto list = client.list("/things");
  REQUIRE(list);
  CHECK(list->items.size() == 3);
  CHECK(list->resource_version == "7");
  CHECK(endpoint->counts() == RequestCounts{{{"list", 200}, 2}});
}

TEST_CASE("server-side apply says the manager, and forces") {
  ApiFake server([](const Asked&, httplib::Response& response) { give(response, "{}"); });
  ApiClient client(server.endpoint());
  REQUIRE(client.apply("/things/x/status", {{"status", {{"n", 1}}}}, "skbtrail-n 1"));
  const auto asked = server.asked();
  REQUIRE(asked.size() == 1);
  CHECK(asked[0].method == "PATCH");
  CHECK(asked[0].target == "/things/x/status?force=true&fieldManager=skbtrail-n%201");
  CHECK(asked[0].content_type == "application/apply-patch+yaml");
  CHECK(asked[0].body == R"({"status":{"n":1}})");
}

TEST_CASE("a token that was renewed is used from the next request on") {
  const std::string file = "/tmp/kube-token-" + std::to_string(::getpid());
  std::ofstream(file) << "old";
  ApiFake server([](const Asked& asked, httplib::Response& response) {
    const bool is_good = asked.authorization == "Bearer new";
    give(response, is_good ? "{}" : R"({"message":"Unauthorized"})", is_good ? 200 : 401);
  });
  ApiClient client(std::make_shared<ApiEndpoint>(KubeConfig{.server = server.url(), .token_file = file}));
  CHECK(client.get("/x").error().code == EACCES);
  std::ofstream(file) << "new";
  CHECK(client.get("/x"));
  ::unlink(file.c_str());
}

TEST_CASE("a server that asks for patience is asked again when it said so") {
  std::atomic<int> times = 0;
  ApiFake server([&](const Asked&, httplib::Response& response) {
    if (++times > 2)
      return give(response, "{}");
    response.set_header("Retry-After", times == 1 ? "1" : "0");
    give(response, R"({"message":"slow down"})", 429);
  });
  ApiClient client(server.endpoint());
  const auto started = std::chrono::steady_clock::now();
  CHECK(client.get("/x"));
  CHECK(std::chrono::steady_clock::now() - started >= 1s);
  CHECK(times == 3);
}

TEST_CASE("a client that waits is interrupted, and asks nothing any more") {
  ApiFake server([](const Asked&, httplib::Response& response) {
    response.set_header("Retry-After", "30");
    give(response, "{}", 429);
  });
  ApiClient client(server.endpoint());
  std::thread waiting([&] { CHECK(client.get("/x").error().code == ECANCELED); });
  REQUIRE(comes([&] { return server.asked().size() == 1; }));
  client.interrupt();
  waiting.join();
  CHECK(client.get("/x").error().code == ECANCELED);
  CHECK(server.asked().size() == 1);
}

TEST_CASE("a list of a strange form is refused") {
  const std::string body =
      GENERATE(R"({"items":[],"metadata":7})", R"({"items":{},"metadata":{}})", R"({"items":[],"metadata":[]})");
  ApiFake server([&](const Asked&, httplib::Response& response) { give(response, body); });
  ApiClient client(server.endpoint());
  CHECK(client.list("/things").error().code == EBADMSG);
}

TEST_CASE("what is written may have bytes that are no UTF-8") {
  ApiFake server([](const Asked&, httplib::Response& response) { give(response, "{}"); });
  ApiClient client(server.endpoint());
  CHECK(client.create("/x", {{"a", "\xff"}}));
  CHECK(client.replace("/x", {{"a", "\xff"}}));
  CHECK(client.remove("/x", "\xff"));
}

TEST_CASE("a client that is not known asks on a new connection, which reads its certificates anew") {
  std::vector<int> ports;
  httplib::Server server;
  server.Get("/x", [&](const httplib::Request& request, httplib::Response& response) {
    ports.push_back(request.remote_port);
    give(response, "{}", ports.size() == 1 ? 401 : 200);
  });
  const int port = server.bind_to_any_port("127.0.0.1");
  std::thread serving([&] { server.listen_after_bind(); });
  {
    ApiClient client(std::make_shared<ApiEndpoint>(KubeConfig{.server = "http://127.0.0.1:" + std::to_string(port)}));
    CHECK(client.get("/x").error().code == EACCES);
    CHECK(client.get("/x"));
    CHECK(client.get("/x"));
  }
  server.stop();
  serving.join();
  REQUIRE(ports.size() == 3);
  CHECK(ports[0] != ports[1]);
  CHECK(ports[1] == ports[2]);
}
