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

TEST_CASE("a token with bytes that no token has is refused, and nobody is asked") {
  ApiFake server(answer_reviews);
  AccessReview access(server.endpoint());
  for (const std::string token : {"\xff", "a b", "tab\t", "\x7f", "line\n"})
    CHECK(access.review_token(token).error().code == EACCES);
  CHECK(server.asked().empty());
}

TEST_CASE("a name that is no UTF-8 is asked for all the same") {
  ApiFake server(answer_reviews);
  AccessReview access(server.endpoint());
  CHECK_FALSE(*access.may({.name = "ann"}, {.verb = "get", .group = "g", .resource = "r", .name = "\xff"}));
}

TEST_CASE("an answer of another form is no answer") {
  const std::string body = GENERATE(R"({"status":7})", R"({"status":{"authenticated":true,"user":[1]}})",
                                    R"({"status":{"authenticated":true,"user":{"username":{}}}})", "{}");
  ApiFake server([&](const Asked&, httplib::Response& response) { give(response, body); });
  AccessReview access(server.endpoint());
  CHECK(access.review_token("good").error().code == EBADMSG);
}

TEST_CASE("that the agent itself is refused is no refusal of the one who asks") {
  const int status = GENERATE(401, 403);
  ApiFake server([&](const Asked&, httplib::Response& response) { give(response, "{}", status); });
  AccessReview access(server.endpoint());
  CHECK(access.review_token("good").error().code == EHOSTUNREACH);
  CHECK(access.may({.name = "ann"}, {.verb = "get", .group = "g", .resource = "r"}).error().code == EHOSTUNREACH);
}

TEST_CASE("guesses do not push out a token that is known") {
  ApiFake server(answer_reviews);
  AccessReview access(server.endpoint(), 8);
  const auto now = AccessReview::Clock::now();
  REQUIRE(access.review_token("good", now));
  for (int i = 0; i < 9; ++i)
    REQUIRE_FALSE(access.review_token("guess-" + std::to_string(i), now));
  const auto asked = server.asked().size();
  REQUIRE(access.review_token("good", now));
  CHECK(server.asked().size() == asked);
}

TEST_CASE("an API server that asks for patience is not waited for") {
  ApiFake server([](const Asked&, httplib::Response& response) {
    response.set_header("Retry-After", "1");
    give(response, "{}", 429);
  });
  AccessReview access(server.endpoint());
  CHECK(access.review_token("good").error().code == EAGAIN);
  CHECK(server.asked().size() == 1);
}

TEST_CASE("what is remembered is told while others wait for the API server, which ends within two seconds") {
  std::atomic<bool> hangs = false;
  std::atomic<bool> ending = false;
  ApiFake server([&](const Asked& asked, httplib::Response& response) {
    while (hangs && !ending)
      std::this_thread::sleep_for(5ms);
    answer_reviews(asked, response);
  });
  AccessReview access(server.endpoint());
  REQUIRE(access.review_token("good"));
  hangs = true;
  const auto started = AccessReview::Clock::now();
  std::atomic<int> code = 0;
  std::thread waiting([&] { code = access.review_token("other").error().code; });
  REQUIRE(comes([&] { return server.asked().size() == 2; }));
  CHECK(access.review_token("good"));
  CHECK(code == 0);
  waiting.join();
  CHECK(code == ECONNRESET);
  CHECK(AccessReview::Clock::now() - started < AccessReview::kPatience);
  ending = true;
}

TEST_CASE("an interruption ends what is asked, and what would be") {
  std::atomic<bool> ending = false;
  ApiFake server([&](const Asked& asked, httplib::Response& response) {
    while (!ending)
      std::this_thread::sleep_for(5ms);
    answer_reviews(asked, response);
  });
  AccessReview access(server.endpoint());
  std::atomic<int> code = 0;
  std::thread waiting([&] { code = access.review_token("good").error().code; });
  REQUIRE(comes([&] { return server.asked().size() == 1; }));
  const auto started = AccessReview::Clock::now();
  access.interrupt();
  CHECK(AccessReview::Clock::now() - started < 500ms);
  waiting.join();
  CHECK(code == ECANCELED);
  CHECK(access.review_token("good").error().code == ECANCELED);
  ending = true;
}
