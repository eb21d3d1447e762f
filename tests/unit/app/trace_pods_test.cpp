#include "app/trace_pods.h"

#include <catch2/catch.hpp>

using namespace skbtrail;

TEST_CASE("what was asked for is said in the user's own words") {
  PodQuery query{.names = {{"shop", "web-0"}, {"shop", "web-1"}}};
  CHECK(describe(query) == "pod 'shop/web-0', 'shop/web-1'");
  query.selector = *LabelSelector::parse("app in (web)");
  query.selector_namespace = "shop";
  CHECK(describe(query) == "pod 'shop/web-0', 'shop/web-1', with 'app in (web)' in namespace 'shop'");
  CHECK(describe({.selector = *LabelSelector::parse("app=web")}) == "pod with 'app=web'");
}

TEST_CASE("events without a pod are told of, with how many of them had waited") {
  CHECK(pods_remark({}).empty());
  CHECK(pods_remark({.named = 7, .waited = 3}).empty());
  CHECK(pods_remark({.late = 1, .crowded = 2, .strange = 30}) ==
        "33 events have no pod: nothing is known of their network namespace (waited for in vain 1, no room to wait 2)");
}
