#include "api/rest_api.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <string>

#include "api/accept_header.h"
#include "api/rest_openapi.h"
#include "api/rest_routes.h"
#include "unit/api/rest_fixture.h"

using namespace skbtrail;
using namespace skbtrail::test;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

const SessionKey kWeb{.namespace_name = "shop", .name = "web"};

std::string field_of(const HttpAnswer& answer, const std::string& name) {
  for (const auto& [other, value] : answer.fields)
    if (other == name)
      return value;
  return "";
}

// A Status object that says what went wrong.
json failure_in(const HttpAnswer& answer, int status) {
  CAPTURE(answer.body);
  CHECK(answer.status == status);
  const auto object = json::parse(answer.body);
  CHECK(object["kind"] == "Status");
  CHECK(object["apiVersion"] == "v1");
  CHECK(object["status"] == "Failure");
  CHECK(object["code"] == status);
  CHECK_FALSE(object["message"].get<std::string>().empty());
  CHECK_FALSE(object["reason"].get<std::string>().empty());
  return object;
}

HttpAnswer post(RestFixture& rest, const std::string& body, const std::string& path = kSessions) {
  return rest.ask({.method = "POST", .path = path, .body = body});
}

}  // namespace

TEST_CASE("who has no token, or an unknown one, hears nothing about what there is") {
  RestFixture rest;
  for (const char* path : {"/openapi.json", "/api/v1/pods", "/nowhere", "/%zz", kSessions.c_str()}) {
    for (const char* token : {"", "stranger"}) {
      const auto answer = rest.ask({.path = path, .token = token});
      CHECK(failure_in(answer, 401)["reason"] == "Unauthorized");
      CHECK(field_of(answer, "WWW-Authenticate").starts_with("Bearer"));
    }
  }
  CHECK(rest.judge.asked.empty());
  CHECK(failure_in(rest.ask({.path = "/openapi.json", .token = "broken"}), 503)["message"] ==
        "the API server does not answer");
}

TEST_CASE("each request asks for its own right, in Kubernetes' words") {
  RestFixture rest;
  REQUIRE(post(rest, session_text("web")).status == 201);
  (void)rest.ask({.path = kSessions});
  (void)rest.ask({.path = kSessions + "/web"});
  (void)rest.ask({.path = kSessions + "/web/events"});
  (void)rest.ask({.method = "DELETE", .path = kSessions + "/web"});
  (void)rest.ask({.path = kClusterSessions + "/all"});
  (void)rest.ask({.path = "/apis/skbtrail.dev/v1alpha1/tracesessions"});
  (void)rest.ask({.path = "/api/v1/pods"});
  CHECK(rest.judge.asked ==
        std::vector<std::string>{"create skbtrail.dev/tracesessions shop/", "list skbtrail.dev/tracesessions shop/",
                                 "get skbtrail.dev/tracesessions shop/web", "watch skbtrail.dev/tracesessions shop/web",
                                 "delete skbtrail.dev/tracesessions shop/web",
                                 "get skbtrail.dev/clustertracesessions /all", "list skbtrail.dev/tracesessions /",
                                 "list /pods /"});
}

TEST_CASE("who may not is refused before his object is read, and it is noted") {
  RestFixture rest;
  bool was_read = false;
  HttpRequest request{.head = {.method = "POST", .path = "/apis/skbtrail.dev/v1alpha1/namespaces/bank/tracesessions"},
                      .body = [&was_read] {
                        was_read = true;
                        return std::string();
                      }};
  request.head.fields = {{"authorization", "bearer anna"}, {"content-type", "application/json"}};
  CHECK(failure_in(rest.api.answer(request, rest.judge), 403)["reason"] == "Forbidden");
  CHECK_FALSE(was_read);
  REQUIRE(rest.audit.size() == 1);
  CHECK(rest.audit[0].user == "anna");
  CHECK(rest.audit[0].status == 403);
  failure_in(rest.ask({.path = "/api/v1/pods"}), 403);
  failure_in(rest.ask({.path = kClusterSessions}), 403);
}

TEST_CASE("a session is started with all its defaults written out, listed, read and ended") {
  RestFixture rest;
  const auto created = post(rest, session_text("web"));
  REQUIRE(created.status == 201);
  const auto object = json::parse(created.body);
  CHECK(object["metadata"] == json{{"name", "web"}, {"namespace", "shop"}});
  CHECK(object["spec"]["duration"] == "1m");
  CHECK(object["status"]["phase"] == "Pending");
  CHECK(rest.control.find(kWeb)->session.requested_by == "anna");
  CHECK(rest.control.find(kWeb)->origin == SessionOrigin::Rest);
  CHECK(json::parse(rest.ask({.path = kSessions + "/web"}).body)["status"]["nodes"][0]["packets"] == 3);
  const auto list = json::parse(rest.ask({.path = kSessions}).body);
  CHECK(list["kind"] == "TraceSessionList");
  REQUIRE(list["items"].size() == 1);
  CHECK(list["items"][0]["metadata"]["name"] == "web");
  const auto ended = rest.ask({.method = "DELETE", .path = kSessions + "/web"});
  CHECK(ended.status == 200);
  CHECK(json::parse(ended.body)["status"] == "Success");
  CHECK(json::parse(rest.ask({.path = kSessions}).body)["items"].empty());
  for (const char* method : {"GET", "DELETE"})
    CHECK(failure_in(rest.ask({.method = method, .path = kSessions + "/web"}), 404)["message"] ==
          "tracesessions.skbtrail.dev 'web' is not on this node");
  failure_in(rest.ask({.path = kSessions + "/web/events"}), 404);
}

TEST_CASE("lists of one namespace, of all, and of the cluster are three things") {
  RestFixture rest;
  REQUIRE(post(rest, session_text("web")).status == 201);
  REQUIRE(rest.ask({.method = "POST", .path = kClusterSessions, .body = cluster_session_text("all"), .token = "root"})
              .status == 201);
  const auto items = [&](const std::string& path) {
    return json::parse(rest.ask({.path = path, .token = "root"}).body)["items"];
  };
  CHECK(items("/apis/skbtrail.dev/v1alpha1/namespaces/bank/tracesessions").empty());
  CHECK(items("/apis/skbtrail.dev/v1alpha1/tracesessions").size() == 1);
  CHECK(items(kClusterSessions)[0]["kind"] == "ClusterTraceSession");
  // The name of a session in a namespace is not one of the cluster.
  failure_in(rest.ask({.path = kClusterSessions + "/web", .token = "root"}), 404);
  failure_in(rest.ask({.path = kSessions + "?watch=1"}), 400);
}

TEST_CASE("an object that is wrong is refused with the field that is") {
  RestFixture rest;
  const struct {
    std::string body;
    std::string field;
  } wrongs[] = {
      {session_text("web", R"("podNames":["web-0"],"duration":"2h")"), "spec.duration"},
      {session_text("web", R"("podNames":["web-0"],"pod":1)"), "spec.pod"},
      {session_text("web", R"("podNames":["web-0"],"filter":"tcp or")"), "spec.filter"},
      {session_text("WEB"), "metadata.name"},
      {R"({"kind":"TraceSession"})", "apiVersion"},
      {cluster_session_text("web"), "kind"},
      {R"({"apiVersion":"skbtrail.dev/v1alpha1","kind":"TraceSession","metadata":{"name":"a","namespace":"bank"},"spec":{}})",
       "metadata.namespace"},
      {R"({"apiVersion":"skbtrail.dev/v1alpha1","kind":"TraceSession","metadata":{"name":"a","namespace":7},"spec":{}})",
       "metadata.namespace"},
      {R"({"apiVersion":"skbtrail.dev/v1alpha1","kind":"TraceSession","metadata":{"name":"a"},"spec":{},"extra":1})",
       "extra"},
  };
  for (const auto& wrong : wrongs) {
    CAPTURE(wrong.body);
    const auto object = failure_in(post(rest, wrong.body), 400);
    CHECK(object["details"]["causes"][0]["field"] == wrong.field);
  }
  for (const std::string& text : {std::string(), std::string("{"), std::string("[]"), std::string("null"),
                                  std::string("\xff"), std::string(100'000, '[')})
    failure_in(post(rest, text), 400);
  CHECK(rest.control.list().empty());
  CHECK(rest.audit.back().status == 400);
}

TEST_CASE("a body that is too deep is refused before anything walks it") {
  RestFixture rest;
  const auto nested = [](std::size_t levels) {
    return R"({"kind":)" + std::string(levels - 1, '[') + std::string(levels - 1, ']') + "}";
  };
  for (const std::size_t levels : {std::size_t{33}, std::size_t{400'000}}) {
    const auto object = failure_in(post(rest, nested(levels)), 400);
    CHECK(object["message"] == "the body has lists and objects more than 32 levels deep");
  }
  CHECK(failure_in(post(rest, nested(32)), 400)["message"] == "apiVersion: is missing");
  // Brackets in strings are letters, also behind a quote that ends none.
  const std::string brackets = R"(\\\")" + std::string(100, '[');
  CHECK(failure_in(post(rest, R"({"kind":")" + brackets + "\"}"), 400)["message"] == "apiVersion: is missing");
  // And one that a backslash does not hide does end its string.
  const std::string deep = R"({"kind":"\\","a":)" + std::string(100, '[');
  CHECK(failure_in(post(rest, deep), 400)["message"] == "the body has lists and objects more than 32 levels deep");
}

TEST_CASE("the name of an unknown field is shown in part, however long it is") {
  RestFixture rest;
  const std::string longest(100'000, 'a');
  const std::string bodies[] = {
      session_text("web", R"("podNames":["web-0"],")" + longest + R"(":1)"),
      session_text("web", R"("podSelector":{")" + longest + R"(":{}})"),
      R"({"apiVersion":"skbtrail.dev/v1alpha1","kind":"TraceSession","metadata":{"name":"a"},"spec":{},")" + longest +
          R"(":1})"};
  for (const std::string& body : bodies) {
    const auto message = failure_in(post(rest, body), 400)["message"].get<std::string>();
    CHECK(message.find("'" + std::string(64, 'a') + "…' is no field; there are ") != std::string::npos);
    CHECK(message.size() < 1000);
  }
  const auto odd = failure_in(post(rest, session_text("web", R"("a: b":1)")), 400);
  CHECK(odd["message"].get<std::string>().starts_with("spec: 'a: b' is no field; there are "));
  CHECK(odd["details"]["causes"][0]["field"] == "spec");
}

TEST_CASE("a namespace that the object lacks is the path's, and what the API server gives is not believed") {
  RestFixture rest;
  auto object = json::parse(session_text("web"));
  object["metadata"].erase("namespace");
  object["metadata"]["uid"] = "made-up";
  object["metadata"]["generation"] = 7;
  REQUIRE(post(rest, object.dump()).status == 201);
  CHECK(rest.control.find(kWeb)->session.uid.empty());
  CHECK(rest.control.find(kWeb)->session.generation == 0);
}

TEST_CASE("what exists is a conflict, and so is the cluster's own object; the limit is told as such") {
  RestFixture rest;
  rest.control.max_sessions = 2;
  REQUIRE(post(rest, session_text("web")).status == 201);
  CHECK(failure_in(post(rest, session_text("web")), 409)["reason"] == "AlreadyExists");
  TraceSession session;
  session.key = {.namespace_name = "shop", .name = "object"};
  REQUIRE(rest.control.start(session, SessionOrigin::Kubernetes));
  CHECK(failure_in(rest.ask({.method = "DELETE", .path = kSessions + "/object"}), 409)["reason"] == "Conflict");
  CHECK(rest.control.find(session.key));
  const auto full = post(rest, session_text("more"));
  CHECK(failure_in(full, 429)["reason"] == "TooManyRequests");
  CHECK_FALSE(field_of(full, "Retry-After").empty());
}

TEST_CASE("a path that is none, a method that is not its own, and forms that are not spoken") {
  RestFixture rest;
  for (const char* path : {"/", "/nowhere", "/apis/skbtrail.dev/v1alpha1/namespaces//tracesessions",
                           "/apis/skbtrail.dev/v1alpha1/namespaces/shop/tracesessions/"})
    failure_in(rest.ask({.path = path}), 404);
  failure_in(rest.ask({.path = "/%zz"}), 400);
  // A name with a slash in it stays one name, which nothing can have.
  const std::string namespaces = "/apis/skbtrail.dev/v1alpha1/namespaces/";
  for (const std::string& path :
       {kSessions + "/web%2Fevents", kSessions + "/..", kSessions + "/Web", kSessions + "/a%00b",
        kSessions + "/" + std::string(254, 'a'), namespaces + "..%2Fkube-system/tracesessions",
        namespaces + "a.b/tracesessions", namespaces + std::string(64, 'a') + "/tracesessions/web/events"})
    failure_in(rest.ask({.path = path}), 404);
  CHECK(rest.judge.asked.empty());
  failure_in(rest.ask({.path = kSessions + "/web-0.a"}), 404);
  CHECK(rest.judge.asked.back() == "get skbtrail.dev/tracesessions shop/web-0.a");
  const auto answer = rest.ask({.method = "PUT", .path = kSessions + "/web"});
  failure_in(answer, 405);
  CHECK(field_of(answer, "Allow") == "GET, DELETE");
  for (const char* accept : {"text/html", "application/json;q=0", "application/yaml, text/*"})
    failure_in(rest.ask({.path = kSessions, .fields = {{"accept", accept}}}), 406);
  for (const char* accept : {"*/*", "application/*", "text/html, application/json;q=0.1", "", "APPLICATION/JSON"})
    CHECK(rest.ask({.path = kSessions, .fields = {{"accept", accept}}}).status == 200);
  for (const char* type : {"application/yaml", "application/x-www-form-urlencoded", "", "application/*"})
    failure_in(rest.ask({.method = "POST", .path = kSessions, .body = "{}", .fields = {{"content-type", type}}}), 415);
  CHECK(rest.ask({.method = "POST",
                  .path = kSessions,
                  .body = session_text("web"),
                  .fields = {{"content-type", "application/json; charset=utf-8"}}})
            .status == 201);
}

TEST_CASE("a body that does not come is the answer") {
  RestFixture rest;
  HttpRequest request{.head = {.method = "POST", .path = kSessions},
                      .body = []() -> Result<std::string> { return refuse(ETIMEDOUT, "too late"); }};
  request.head.fields = {{"authorization", "Bearer anna"}, {"content-type", "application/json"}};
  failure_in(rest.api.answer(request, rest.judge), 408);
}

TEST_CASE("events are followed in the form that was asked for, the last ones first") {
  RestFixture rest;
  REQUIRE(post(rest, session_text("web")).status == 201);
  for (const char* line : {"{\"a\":1}", "{\"a\":2}", "{\"a\":3}"})
    rest.control.tell(kWeb, line);
  const auto plain = rest.ask({.path = kSessions + "/web/events?tail=2"});
  REQUIRE(plain.stream);
  CHECK(plain.content_type == "application/x-ndjson");
  CHECK(plain.stream->next(0ms).lines == std::vector<std::string>{"{\"a\":2}", "{\"a\":3}"});
  CHECK(rest.ask({.path = kSessions + "/web/events"}).stream->next(0ms).lines.empty());
  const auto pushed =
      rest.ask({.path = kSessions + "/web/events", .fields = {{"accept", "text/event-stream, */*;q=0.1"}}});
  CHECK(pushed.form == StreamForm::ServerSentEvents);
  CHECK(pushed.content_type == "text/event-stream");
  for (const char* tail : {"", "-1", "1001", "a", "1 ", "99999999999999999999", "%", "%31x"})
    CHECK(failure_in(rest.ask({.path = kSessions + "/web/events?tail=" + std::string(tail)}),
                     400)["details"]["causes"][0]["field"] == "tail");
  failure_in(rest.ask({.path = kSessions + "/web/events", .fields = {{"accept", "text/html"}}}), 406);
  CHECK(rest.ask({.path = kSessions + "/web/events", .fields = {{"accept", "application/x-ndjson"}}}).stream);
}

TEST_CASE("streams are bounded over all sessions, and a place is free again when one ends") {
  RestFixture rest;
  for (const char* name : {"a", "b"})
    REQUIRE(post(rest, session_text(name)).status == 201);
  std::vector<HttpAnswer> open;
  for (std::size_t i = 0; i < RestApi::kMaxStreams; ++i) {
    open.push_back(rest.ask({.path = kSessions + (i % 2 == 0 ? "/a/events" : "/b/events")}));
    REQUIRE(open.back().stream);
  }
  failure_in(rest.ask({.path = kSessions + "/a/events"}), 429);
  // What is refused, or is not there, takes no place.
  failure_in(rest.ask({.path = kSessions + "/none/events"}), 429);
  open.pop_back();
  failure_in(rest.ask({.path = kSessions + "/none/events"}), 404);
  CHECK(rest.ask({.path = kSessions + "/a/events"}).stream);
}

TEST_CASE("health needs no token and tells each check") {
  RestFixture rest;
  rest.checks = {{.name = "loop", .failure = ""}, {.name = "sessions", .failure = "stands still"}};
  const auto sick = rest.ask({.path = "/healthz", .token = ""});
  CHECK(sick.status == 503);
  CHECK(sick.body == "[+]loop ok\n[-]sessions failed: stands still\nhealthz check failed\n");
  rest.checks.pop_back();
  const auto well = rest.ask({.path = "/readyz", .token = ""});
  CHECK(well.status == 200);
  CHECK(well.body == "[+]loop ok\nreadyz check passed\n");
}

TEST_CASE("who started and who ended a session is noted") {
  RestFixture rest;
  (void)post(rest, session_text("web"));
  (void)post(rest, session_text("web"));
  (void)rest.ask({.method = "DELETE", .path = kSessions + "/web"});
  (void)rest.ask({.method = "DELETE", .path = kSessions + "/web"});
  std::string told;
  for (const auto& one : rest.audit)
    told += one.user + " " + std::string(one.verb) + " " + std::string(one.resource) + " " + one.key.text() + " " +
            std::to_string(one.status) + "\n";
  CHECK(told ==
        "anna create tracesessions shop/web 201\nanna create tracesessions shop/web 409\n"
        "anna delete tracesessions shop/web 200\nanna delete tracesessions shop/web 404\n");
}

TEST_CASE("the description has every path, and every reference in it leads somewhere") {
  RestFixture rest;
  const auto description = json::parse(rest.ask({.path = "/openapi.json"}).body);
  CHECK(description["openapi"] == "3.0.3");
  CHECK(description["info"]["version"] == "1.2.3");
  for (const RestRoute& route : rest_routes()) {
    CAPTURE(route.path);
    std::string method(route.method);
    for (char& letter : method)
      letter = static_cast<char>(letter - 'A' + 'a');
    CHECK(description["paths"][std::string(route.path)].contains(method));
  }
  const std::string text = description.dump();
  std::set<std::string> names;
  constexpr std::string_view kReference = "#/components/schemas/";
  for (auto at = text.find(kReference); at != std::string::npos; at = text.find(kReference, at + 1)) {
    const auto begin = at + kReference.size();
    names.insert(text.substr(begin, text.find('"', begin) - begin));
  }
  CHECK(names.size() == 5);
  for (const auto& name : names)
    CHECK(description["components"]["schemas"].contains(name));
}

TEST_CASE("an empty Accept takes all and names nothing") {
  CHECK(accepts("", "application/json", MediaRange::Wildcard));
  CHECK_FALSE(accepts("", "application/json", MediaRange::Exact));
  CHECK_FALSE(accepts("*/*", "application/json", MediaRange::Exact));
  CHECK(accepts("a/b , text/event-stream ; q=0.5", "text/event-stream", MediaRange::Exact));
  CHECK_FALSE(accepts("text/event-stream;q=0.0", "text/event-stream", MediaRange::Exact));
}

TEST_CASE("nothing that is asked at random is answered with a fault of ours") {
  RestFixture rest;
  std::mt19937 random(20261129);  // the same each time
  const auto one_of = [&random](const std::vector<std::string>& choices) { return choices[random() % choices.size()]; };
  const std::vector<std::string> parts = {
      "apis",   "skbtrail.dev", "v1alpha1", "namespaces", "shop",    "bank",       "web", "tracesessions",
      "events", "api",          "v1",       "pods",       "%2F",     "%",          "",    "..",
      "%00%ff", "openapi.json", "a?b=c",    "?tail=5",    "?tail=x", "?watch=true"};
  std::set<int> seen;
  for (int round = 0; round < 20'000; ++round) {
    std::string path = random() % 2 == 0 ? kSessions : random() % 2 == 0 ? kClusterSessions : "";
    for (auto left = random() % 4; left > 0; --left)
      path += "/" + one_of(parts);
    std::string body =
        random() % 3 == 0 ? cluster_session_text(one_of({"web", "a"})) : session_text(one_of({"web", "a", "A"}));
    for (auto left = random() % 4; left > 0; --left)
      body[random() % body.size()] = static_cast<char>(random());
    const auto answer = rest.ask({.method = one_of({"GET", "POST", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS", "X"}),
                                  .path = path.empty() ? "/" : path,
                                  .body = body,
                                  .token = one_of({"", "anna", "root", "stranger"}),
                                  .fields = {{"content-type", one_of({"application/json", "text/plain", ""})},
                                             {"accept", one_of({"", "*/*", "text/event-stream", ";;,,q=", "a"})}}});
    CAPTURE(path, body, answer.body);
    REQUIRE(answer.status < 500);
    REQUIRE_FALSE(http_phrase_of(answer.status).empty());
    seen.insert(answer.status);
  }
  // Else the test would only ever have knocked at the door.
  for (const int status : {200, 201, 400, 401, 403, 404, 405, 406, 409, 415})
    CHECK(seen.contains(status));
}
