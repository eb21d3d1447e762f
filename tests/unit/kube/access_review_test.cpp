#include "kube/access_review.h"

#include <catch2/catch.hpp>

#include "unit/kube/api_fake.h"

using namespace skbtrail;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

void answer_reviews(const Asked& asked, httplib::Response& response) {
  const auto body = json::parse(asked.body);
  if (asked.target.find("tokenreviews") != std::string::npos) {
    const bool is_good = body["spec"]["token"] == "good";
    const json user = {{"username", "ann"}, {"groups", {"dev"}}, {"extra", {{"k", {"v"}}}}};
    return give(response, json{{"status", is_good ? json{{"authenticated", true}, {"user", user}}
                                                  : json{{"authenticated", false}, {"error", "expired"}}}}
                              .dump());
  }
  const auto& spec = body["spec"];
  const bool is_allowed = spec["user"] == "ann" && spec["groups"] == json{"dev"} &&
                          spec["resourceAttributes"]["verb"] == "create" &&
                          spec["resourceAttributes"]["namespace"] == "shop";
  give(response, json{{"status", {{"allowed", is_allowed}}}}.dump());
}

}  // namespace

TEST_CASE("who has a token, and what he may do, is asked of the API server once in ten seconds") {
  ApiFake server(answer_reviews);
  AccessReview access(server.endpoint());
  const auto now = AccessReview::Clock::now();
  const auto user = access.review_token("good", now);
  REQUIRE(user);
  CHECK(user->name == "ann");
  CHECK(user->groups == std::vector<std::string>{"dev"});
  REQUIRE(access.review_token("good", now + 9s));
  CHECK(server.asked().size() == 1);
  REQUIRE(access.review_token("good", now + 10s));
  CHECK(server.asked().size() == 2);
  const KubeAction create{
      .verb = "create", .group = "skbtrail.dev", .resource = "tracesessions", .namespace_name = "shop"};
  CHECK(*access.may(*user, create, now));
  CHECK(*access.may(*user, create, now + 9s));
  CHECK(server.asked().size() == 3);
  auto other = create;
  other.namespace_name = "bank";
  CHECK_FALSE(*access.may(*user, other, now));
}

TEST_CASE("a token that is not valid is refused, also when it is remembered") {
  ApiFake server(answer_reviews);
  AccessReview access(server.endpoint());
  for (int i = 0; i < 2; ++i) {
    const auto user = access.review_token("bad");
    REQUIRE_FALSE(user);
    CHECK(user.error().code == EACCES);
    CHECK(user.error().message == "the token is not valid: expired");
  }
  CHECK(server.asked().size() == 1);
  CHECK(access.review_token("").error().code == EACCES);
  CHECK(access.review_token(std::string(20'000, 'x')).error().code == EACCES);
  CHECK(server.asked().size() == 1);
}

TEST_CASE("an API server that cannot be asked is no refusal, and is asked again") {
  std::atomic<bool> is_well = false;
  ApiFake server([&](const Asked& asked, httplib::Response& response) {
    if (!is_well)
      return give(response, R"({"message":"etcd is away"})", 500);
    answer_reviews(asked, response);
  });
  AccessReview access(server.endpoint());
  CHECK(access.review_token("good").error().code == EAGAIN);
  is_well = true;
  CHECK(access.review_token("good"));
}
