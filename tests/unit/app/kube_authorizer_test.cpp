#include "app/kube_authorizer.h"

#include <catch2/catch.hpp>
#include <vector>

#include "unit/kube/api_fake.h"

using namespace skbtrail;

namespace {

constexpr const char* kNoJudge = "tokens cannot be judged now: the API server cannot be asked";

}  // namespace

TEST_CASE("an API server that cannot be asked is told without its details, which are logged once a minute") {
  const int status = GENERATE(401, 403, 404, 429, 500);
  ApiFake server([&](const Asked&, httplib::Response& response) {
    give(response, R"({"message":"serviceaccount skbtrail:agent cannot"})", status);
  });
  AccessReview review(server.endpoint());
  std::vector<std::string> logged;
  KubeAuthorizer judge(review, [&](LogLevel, const std::string& line) { logged.push_back(line); });
  const auto identity = judge.identify({.token = "t"});
  REQUIRE_FALSE(identity);
  CHECK(identity.error().code == EHOSTUNREACH);
  CHECK(identity.error().message == kNoJudge);
  const auto permit = judge.permit({.name = "ann"}, {.verb = "get", .group = "skbtrail.dev", .resource = "x"});
  REQUIRE_FALSE(permit);
  CHECK(permit.error().code == EHOSTUNREACH);
  CHECK(permit.error().message == kNoJudge);
  REQUIRE(logged.size() == 1);
  CHECK(logged[0].find("serviceaccount skbtrail:agent cannot") != std::string::npos);
}

TEST_CASE("only the API server's word makes somebody nobody, or one who may not") {
  ApiFake server([](const Asked&, httplib::Response& response) {
    give(response, R"({"status":{"authenticated":false,"allowed":false}})");
  });
  AccessReview review(server.endpoint());
  KubeAuthorizer judge(review, tell_nobody);
  CHECK(judge.identify({.token = "t"}).error().code == EACCES);
  CHECK(judge.identify({.token = "\xff"}).error().code == EACCES);
  CHECK(judge.permit({.name = "ann"}, {.verb = "get", .group = "g", .resource = "x"}).error().code == EPERM);
}
