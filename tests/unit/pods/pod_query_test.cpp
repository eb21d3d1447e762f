#include "pods/pod_query.h"

#include <catch2/catch.hpp>

using namespace skbtrail;

namespace {

std::string error_of(const std::string& text) {
  const auto name = parse_pod_name(text);
  return name ? "no error" : name.error().message;
}

Pod pod(const std::string& name_space, const std::string& name, std::map<std::string, std::string> labels = {}) {
  return {.namespace_name = name_space, .name = name, .uid = "1", .labels = std::move(labels)};
}

}  // namespace

TEST_CASE("what is no pod's name is refused, with what is wrong about it") {
  CHECK(error_of("web-0") == "pod 'web-0': write NAMESPACE/NAME, such as default/web-0");
  CHECK(error_of("/web-0") == "pod '/web-0': '' is no name of a namespace");
  CHECK(error_of("shop/") == "pod 'shop/': '' is no name of a pod");
  CHECK(error_of("shop/web/0") == "pod 'shop/web/0': 'web/0' is no name of a pod");
  CHECK(error_of("Shop/web") == "pod 'Shop/web': 'Shop' is no name of a namespace");
  CHECK(error_of("sh.op/web") == "pod 'sh.op/web': 'sh.op' is no name of a namespace");
  CHECK(error_of("shop/web-") == "pod 'shop/web-': 'web-' is no name of a pod");
  CHECK(error_of("shop/" + std::string(254, 'a')) != "no error");
}

TEST_CASE("a pod is asked for by namespace and name together") {
  const auto name = parse_pod_name("shop/web-0.a");
  REQUIRE(name);
  const PodQuery query{.names = {*name}};
  CHECK_FALSE(query.empty());
  CHECK(query.selects(pod("shop", "web-0.a")));
  CHECK_FALSE(query.selects(pod("shop", "web-1")));
  CHECK_FALSE(query.selects(pod("default", "web-0.a")));
}

TEST_CASE("a selector selects in its namespace, and without one in all") {
  PodQuery query{.selector = *LabelSelector::parse("app=web")};
  CHECK(query.selects(pod("shop", "web-0", {{"app", "web"}})));
  CHECK(query.selects(pod("default", "x", {{"app", "web"}})));
  CHECK_FALSE(query.selects(pod("shop", "db-0", {{"app", "db"}})));
  query.selector_namespace = "shop";
  CHECK(query.selects(pod("shop", "web-0", {{"app", "web"}})));
  CHECK_FALSE(query.selects(pod("default", "x", {{"app", "web"}})));
}

TEST_CASE("a query that asks for nothing selects nothing") {
  CHECK(PodQuery{}.empty());
  CHECK_FALSE(PodQuery{}.selects(pod("shop", "web-0")));
}
