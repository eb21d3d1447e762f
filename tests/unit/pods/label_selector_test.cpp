#include "pods/label_selector.h"

#include <catch2/catch.hpp>

using namespace skbtrail;

namespace {

using Labels = std::map<std::string, std::string>;

std::string error_of(std::string_view text) {
  const auto selector = LabelSelector::parse(text);
  if (selector)
    return "no error";
  CHECK(selector.error().code == EINVAL);
  return selector.error().message;
}

bool selects(std::string_view text, const Labels& labels) {
  const auto selector = LabelSelector::parse(text);
  INFO(text);
  REQUIRE(selector);
  return selector->matches(labels);
}

const Labels kWeb = {{"app", "web"}, {"tier", "front"}, {"replica", "3"}, {"example.org/team", "a"}, {"empty", ""}};

}  // namespace

TEST_CASE("a wrong selector is refused with its column") {
  CHECK(error_of("app web") == "label selector: column 5: expected =, ==, !=, in, notin, <, > or ','");
  CHECK(error_of("app=web,") == "label selector: column 9: expected the name of a label");
  CHECK(error_of(",app") == "label selector: column 1: expected the name of a label");
  CHECK(error_of("=web") == "label selector: column 1: expected the name of a label");
  CHECK(error_of("!") == "label selector: column 2: expected the name of a label");
  CHECK(error_of("app in web") == "label selector: column 8: expected '('");
  CHECK(error_of("app in ()") == "label selector: column 9: expected a value: 'in' and 'notin' need one at least");
  CHECK(error_of("app in (web") == "label selector: column 12: expected ',' or ')'");
  CHECK(error_of("app in (web edge)") == "label selector: column 13: expected ',' or ')'");
  CHECK(error_of("app=web)") == "label selector: column 8: expected ',' or the end");
  CHECK(error_of("app=web tier=front") == "label selector: column 9: expected ',' or the end");
  CHECK(error_of("!app=web") == "label selector: column 5: expected ',' or the end");
  CHECK(error_of("replica>x") == "label selector: column 9: expected a whole number");
  CHECK(error_of("replica<") == "label selector: column 9: expected a whole number");
}

TEST_CASE("what is no name or value of a label is refused with its column") {
  CHECK(error_of("-app=web").starts_with("label selector: column 1: '-app' is no name of a label: "));
  CHECK(error_of("app=web,ti/er/x").starts_with("label selector: column 9: 'ti/er/x' is no name of a label: "));
  CHECK(error_of("/app").starts_with("label selector: column 1: '/app' is no name of a label: "));
  CHECK(error_of("Example.org/app").starts_with("label selector: column 1: 'Example.org/app' is no name"));
  CHECK(error_of("ex..org/app").starts_with("label selector: column 1: 'ex..org/app' is no name of a label: "));
  CHECK(error_of("app=we$b").starts_with("label selector: column 5: 'we$b' is no value of a label: "));
  CHECK(error_of(std::string(64, 'a')).starts_with("label selector: column 1: "));
  CHECK(error_of("a=" + std::string(64, 'a')).starts_with("label selector: column 3: "));
}

TEST_CASE("a selector has bounds") {
  CHECK(error_of(std::string(4097, ' ')) == "label selector: at most 4096 characters");
  std::string many = "a0";
  for (int number = 1; number < 64; ++number)
    many += ",a" + std::to_string(number);
  CHECK(error_of(many) == "no error");
  CHECK(error_of(many + ",b").find("at most 64 requirements are allowed") != std::string::npos);
}

TEST_CASE("an empty selector selects everything") {
  CHECK(selects("", kWeb));
  CHECK(selects("  ", {}));
}

TEST_CASE("equality and its contrary") {
  CHECK(selects("app=web", kWeb));
  CHECK(selects("app==web", kWeb));
  CHECK(selects(" app = web ", kWeb));
  CHECK_FALSE(selects("app=db", kWeb));
  CHECK_FALSE(selects("none=web", kWeb));
  CHECK(selects("app!=db", kWeb));
  CHECK_FALSE(selects("app != web", kWeb));
  CHECK(selects("none!=web", kWeb));
  CHECK(selects("example.org/team=a", kWeb));
}

TEST_CASE("the empty value is a value") {
  CHECK(selects("empty=", kWeb));
  CHECK_FALSE(selects("none=", kWeb));
  CHECK_FALSE(selects("app=", kWeb));
  CHECK(selects("empty in (x,)", kWeb));
  CHECK(selects("empty in (,x)", kWeb));
  CHECK(selects("app=,tier", {{"app", ""}, {"tier", "x"}}));
}

TEST_CASE("sets and their contrary") {
  CHECK(selects("app in (db,web)", kWeb));
  CHECK(selects("app in ( db , web )", kWeb));
  CHECK(selects("app in(web)", kWeb));
  CHECK_FALSE(selects("app in (db, cache)", kWeb));
  CHECK_FALSE(selects("none in (web)", kWeb));
  CHECK(selects("app notin (db, cache)", kWeb));
  CHECK(selects("none notin (web)", kWeb));
  CHECK_FALSE(selects("app notin (web)", kWeb));
}

TEST_CASE("presence and absence") {
  CHECK(selects("app", kWeb));
  CHECK_FALSE(selects("none", kWeb));
  CHECK(selects("!none", kWeb));
  CHECK(selects("! none", kWeb));
  CHECK_FALSE(selects("!app", kWeb));
}

TEST_CASE("numbers compare as numbers, and what is none never does") {
  CHECK(selects("replica>2", kWeb));
  CHECK(selects("replica < 10", kWeb));
  CHECK_FALSE(selects("replica>3", kWeb));
  CHECK_FALSE(selects("app>0", kWeb));
  CHECK_FALSE(selects("none<5", kWeb));
}

TEST_CASE("all requirements must be met") {
  CHECK(selects("app=web,tier in (front,edge),!canary", kWeb));
  CHECK_FALSE(selects("app=web,tier in (back),!canary", kWeb));
}

TEST_CASE("the words in and notin are also names") {
  CHECK(selects("in", {{"in", "x"}}));
  CHECK(selects("in in (in)", {{"in", "in"}}));
  CHECK(selects("notin notin (in)", {{"notin", "x"}}));
}
