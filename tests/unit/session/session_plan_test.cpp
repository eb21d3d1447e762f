#include "session/session_plan.h"

#include <catch2/catch.hpp>

using namespace skbtrail;

namespace {

Pod pod(std::string name_space, std::string name, std::map<std::string, std::string> labels = {}) {
  return {.namespace_name = std::move(name_space), .name = std::move(name), .uid = "1", .labels = std::move(labels)};
}

}  // namespace

TEST_CASE("a session in a namespace selects pods of that namespace alone") {
  TraceSession session;
  session.key = {.namespace_name = "shop", .name = "debug"};
  session.spec.pod_selector = SelectorSpec{.match_labels = {{"app", "web"}},
                                           .match_expressions = {{.key = "tier", .op = "In", .values = {"a", "b"}}}};
  const auto query = pod_query_of(session);
  REQUIRE(query);
  CHECK(query->selects(pod("shop", "web-0", {{"app", "web"}, {"tier", "b"}})));
  CHECK_FALSE(query->selects(pod("shop", "web-0", {{"app", "web"}, {"tier", "c"}})));
  CHECK_FALSE(query->selects(pod("other", "web-0", {{"app", "web"}, {"tier", "b"}})));
}

TEST_CASE("names select in the session's namespace, and an empty selector selects all of it") {
  TraceSession session;
  session.key = {.namespace_name = "shop", .name = "debug"};
  session.spec.pod_names = {"web-0"};
  CHECK(pod_query_of(session)->selects(pod("shop", "web-0")));
  CHECK_FALSE(pod_query_of(session)->selects(pod("shop", "web-1")));
  CHECK_FALSE(pod_query_of(session)->selects(pod("other", "web-0")));
  session.spec.pod_names.clear();
  session.spec.pod_selector = SelectorSpec{};
  CHECK(pod_query_of(session)->selects(pod("shop", "web-1")));
  CHECK_FALSE(pod_query_of(session)->selects(pod("other", "web-0")));
}

TEST_CASE("the cluster's session selects namespaces by name, and refuses what a node does not know of them") {
  TraceSession session;
  session.key = {.namespace_name = "", .name = "debug"};
  session.spec.namespace_selector = SelectorSpec{
      .match_labels = {},
      .match_expressions = {{.key = "kubernetes.io/metadata.name", .op = "NotIn", .values = {"kube-system"}}}};
  CHECK(pod_query_of(session)->selects(pod("shop", "web-1")));
  CHECK_FALSE(pod_query_of(session)->selects(pod("kube-system", "dns")));
  session.spec.namespace_selector->match_labels = {{"team", "shop"}};
  const auto refused = pod_query_of(session);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.starts_with("spec.namespaceSelector: "));
}

TEST_CASE("the node's own traffic alone selects no pod") {
  TraceSession session;
  session.key = {.namespace_name = "", .name = "debug"};
  session.spec.host_network = true;
  const auto query = pod_query_of(session);
  REQUIRE(query);
  CHECK_FALSE(query->empty());
  CHECK_FALSE(query->selects(pod("shop", "web-1")));
}

TEST_CASE("what is left of a session's time is what an agent before this one did not use") {
  TraceSession session;
  session.key = {.namespace_name = "shop", .name = "debug"};
  session.spec.functions = {"^nft_"};
  session.spent = std::chrono::seconds(45);
  const auto spec = trace_spec_of(session);
  CHECK(spec.duration == std::chrono::seconds(15));
  CHECK(spec.max_events == 10'000);
  CHECK(spec.events_per_second == 1'000);
  CHECK(spec.functions == std::vector<std::string>{"^nft_"});
  CHECK(spec.only_pods);
}
