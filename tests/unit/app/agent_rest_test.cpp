#include "app/agent_rest.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <string>

#include "support/kept_lines.h"
#include "support/scratch_folder.h"
#include "unit/api/fake_control.h"
#include "unit/api/http_client.h"

using namespace skbtrail;
using namespace skbtrail::test;
using nlohmann::json;

namespace {

class TwoPods final : public PodSource {
public:
  std::shared_ptr<const PodIndex> current() const override { return nullptr; }
  std::uint32_t host_netns_inum() const override { return 7; }
  std::string trouble() const override { return why; }
  std::optional<PodListing> listing() const override {
    if (!why.empty())
      return std::nullopt;
    const auto pod = [](const char* name) { return std::make_shared<const Pod>(Pod{"shop", name, "uid"}); };
    auto sandboxes = std::make_shared<std::vector<Sandbox>>();
    sandboxes->push_back({.pod = pod("web-0"), .id = "a"});
    sandboxes->push_back({.pod = pod("gone-0"), .id = "b", .gone_since = SteadyTime{}});
    return PodListing{.runtime = {.name = "scripted", .version = "1"}, .socket = "/s", .sandboxes = sandboxes};
  }
  std::string why = {};
};

struct Lab {
  ScratchFolder folder;
  FakeControl control;
  KeptLines lines;
  AgentLog log{{.level = LogLevel::Error}};
  TwoPods pods;
  AgentConfig config = [this] {
    AgentConfig wanted;
    wanted.node = "n1";
    wanted.rest_socket = folder.path("rest.sock");
    return wanted;
  }();

  Result<std::unique_ptr<AgentRest>> start() {
    return AgentRest::start({.config = config,
                             .version = "1",
                             .control = control,
                             .audit = lines,
                             .log = log,
                             .pods = &pods,
                             .health = [](HealthQuestion) { return std::vector<HealthCheck>{}; }});
  }
  std::string get(const std::string& path) const {
    HttpClient client{config.rest_socket};
    REQUIRE(client.send("GET " + path + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
    return client.read_all();
  }
};

}  // namespace

TEST_CASE("an agent that is to serve no REST serves none") {
  Lab lab;
  lab.config.rest_socket.clear();
  const auto none = lab.start();
  REQUIRE(none);
  CHECK(*none == nullptr);
}

TEST_CASE("what REST is to use and cannot ends the start with the key's name") {
  Lab lab;
  lab.config.rest_listen = "127.0.0.1:0";
  lab.config.rest_plaintext_on_loopback = true;
  lab.config.rest_auth = RestAuth::TokenFile;
  lab.config.rest_token_file = lab.folder.path("none");
  const auto tokens = lab.start();
  REQUIRE_FALSE(tokens);
  CHECK(tokens.error().message.starts_with("rest.tokenFile: "));
  lab.config.rest_auth = RestAuth::Kubernetes;
  const auto kubernetes = lab.start();
  REQUIRE_FALSE(kubernetes);
  CHECK(kubernetes.error().message.find("rest.auth: 'kubernetes' needs an API server") != std::string::npos);
}

TEST_CASE("REST is served on the socket and on the network at once") {
  Lab lab;
  lab.config.rest_listen = "127.0.0.1:0";
  lab.config.rest_plaintext_on_loopback = true;
  lab.config.rest_auth = RestAuth::TokenFile;
  lab.config.rest_token_file = lab.folder.path("tokens");
  lab.folder.write("tokens", "0123456789abcdef,anna\n");
  const auto rest = lab.start();
  REQUIRE(rest);
  const auto places = (*rest)->places();
  REQUIRE(places.size() == 2);
  CHECK(places[0].starts_with("REST on 127.0.0.1:"));
  CHECK(places[1] == "REST on " + lab.config.rest_socket);
  HttpClient client{static_cast<std::uint16_t>(std::stoi(places[0].substr(places[0].rfind(':') + 1)))};
  REQUIRE(
      client.send("GET /openapi.json HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                  "Authorization: Bearer 0123456789abcdef\r\n\r\n"));
  CHECK(client.read_all().starts_with("HTTP/1.1 200 "));
}

TEST_CASE("pods are served as they are printed, without those that are gone, or why they are not known") {
  Lab lab;
  const auto rest = lab.start();
  REQUIRE(rest);
  const auto answer = lab.get("/api/v1/pods");
  const auto object = json::parse(answer.substr(answer.find("\r\n\r\n")));
  CHECK(object["host_netns"] == 7);
  CHECK(object["runtime"]["name"] == "scripted");
  REQUIRE(object["pods"].size() == 1);
  CHECK(object["pods"][0]["name"] == "web-0");
  lab.pods.why = "the runtime hangs";
  const auto unknown = lab.get("/api/v1/pods");
  CHECK(unknown.starts_with("HTTP/1.1 503 "));
  CHECK(unknown.find("the runtime hangs") != std::string::npos);
}

TEST_CASE("what was done is a line of its session, whose message is bounded") {
  AuditEntry entry{.user = "anna",
                   .verb = "delete",
                   .resource = "tracesessions",
                   .key = {.namespace_name = "shop", .name = "web"},
                   .status = 200,
                   .message = ""};
  CHECK(json::parse(audit_line(entry, "n1", 1).text)["session"] == "shop/web");
  CHECK(json::parse(audit_line(entry, "n1", 1).text)["message"] == "anna: delete tracesessions shop/web");
  entry.status = 400;
  entry.message = std::string(10'000, 'a');
  const std::string start = "anna: delete tracesessions shop/web: ";
  CHECK(json::parse(audit_line(entry, "n1", 1).text)["message"] == start + std::string(512 - start.size(), 'a'));
  // Cut between two letters.
  entry.message = std::string(511 - start.size(), 'a') + "é";
  CHECK(json::parse(audit_line(entry, "n1", 1).text)["message"] == start + std::string(511 - start.size(), 'a'));
  entry.key.name = std::string(10'000, 'b');
  entry.message = "no such name";
  const auto bounded = json::parse(audit_line(entry, "n1", 1).text);
  CHECK(bounded["session"].is_null());
  CHECK(bounded["message"].get<std::string>().ends_with("b: no such name"));
}

TEST_CASE("a user's name is bounded in the log, and escaped") {
  AuditEntry entry{.user = std::string(255, 'u') + "é" + std::string(10'000, 'u'),
                   .verb = "create",
                   .resource = "tracesessions",
                   .key = {.namespace_name = "shop", .name = "web"},
                   .status = 201,
                   .message = ""};
  const auto line = json::parse(audit_line(entry, "n1", 1).text);
  CHECK(line["user"] == std::string(255, 'u'));
  CHECK(line["message"] == std::string(255, 'u') + ": create tracesessions shop/web");
  entry.user = "a\n\x1b[31m\xff\"";
  const auto escaped = audit_line(entry, "n1", 1).text;
  CHECK(escaped.find_first_of("\n\x1b\xff") == std::string::npos);
  CHECK(json::parse(escaped)["user"] == "a\n\x1b[31m\ufffd\"");
}

TEST_CASE("who did what is one line of the log") {
  const auto line = audit_line({.user = "an\"na",
                                .verb = "create",
                                .resource = "tracesessions",
                                .key = {.namespace_name = "shop", .name = "web"},
                                .status = 409,
                                .message = "it exists"},
                               "n1", 1'700'000'000'000'000'000);
  CHECK(line.type == "agent");
  CHECK(json::parse(line.text) == json{{"ts", "2023-11-14T22:13:20.000000000Z"},
                                       {"type", "agent"},
                                       {"node", "n1"},
                                       {"session", nullptr},
                                       {"level", "warning"},
                                       {"message", "an\"na: create tracesessions shop/web: it exists"},
                                       {"user", "an\"na"},
                                       {"verb", "create"},
                                       {"resource", "tracesessions"},
                                       {"code", 409}});
}
