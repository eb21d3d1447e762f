#include "kube/lease_state.h"

#include <catch2/catch.hpp>

using namespace skbtrail;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

json lease_of(const std::string& holder, const std::string& renewed) {
  return {{"metadata", {{"name", "skbtrail"}, {"resourceVersion", renewed}}},
          {"spec", {{"holderIdentity", holder}, {"renewTime", renewed}, {"leaseTransitions", 3}}}};
}

}  // namespace

TEST_CASE("a lease of another one is taken only when it has not changed for its duration") {
  LeaseState state("me", {});
  auto now = LeaseState::Clock::now();
  state.observe(lease_of("other", "1"), now);
  CHECK_FALSE(state.may_take(now + 14s));
  state.observe(lease_of("other", "2"), now + 14s);
  CHECK_FALSE(state.may_take(now + 16s));
  state.observe(lease_of("other", "2"), now + 16s);
  CHECK(state.may_take(now + 29s));
}

TEST_CASE("one that is not there, or was given back, is taken at once") {
  LeaseState state("me", {});
  const auto now = LeaseState::Clock::now();
  state.observe(std::nullopt, now);
  CHECK(state.may_take(now));
  state.observe(lease_of("", "1"), now);
  CHECK(state.may_take(now));
}

TEST_CASE("a holder that could not renew holds it no more, before another one may take it") {
  LeaseState state("me", {});
  const auto now = LeaseState::Clock::now();
  state.taken(lease_of("me", "1"), now);
  CHECK(state.is_held(now + 9s));
  CHECK_FALSE(state.is_held(now + 10s));
  state.observe(lease_of("other", "2"), now + 1s);
  CHECK_FALSE(state.is_held(now + 1s));
}

TEST_CASE("a claim keeps the version that was seen, and counts who changed") {
  LeaseState state("me", {});
  const auto now = LeaseState::Clock::now();
  state.observe(std::nullopt, now);
  auto claim = state.claim("skbtrail", "ns", "t0");
  CHECK(claim["metadata"] == json{{"name", "skbtrail"}, {"namespace", "ns"}});
  CHECK(claim["spec"]["leaseTransitions"] == 0);
  CHECK(claim["spec"]["leaseDurationSeconds"] == 15);
  state.observe(lease_of("other", "7"), now);
  claim = state.claim("skbtrail", "ns", "t1");
  CHECK(claim["metadata"]["resourceVersion"] == "7");
  CHECK(claim["spec"]["holderIdentity"] == "me");
  CHECK(claim["spec"]["leaseTransitions"] == 4);
  CHECK(claim["spec"]["acquireTime"] == "t1");
  state.taken(claim, now);
  claim = state.claim("skbtrail", "ns", "t2");
  CHECK(claim["spec"]["leaseTransitions"] == 4);
  CHECK(claim["spec"]["acquireTime"] == "t1");
  CHECK(claim["spec"]["renewTime"] == "t2");
  CHECK(state.release("t3")["spec"]["holderIdentity"] == "");
}

TEST_CASE("a lease of a strange form is taken, renewed and given back all the same") {
  const json spec = GENERATE(json(7), json::array(), json{{"holderIdentity", 1}, {"leaseTransitions", "many"}},
                             json{{"leaseTransitions", INT64_MAX}});
  LeaseState state("me", {});
  const auto now = LeaseState::Clock::now();
  state.observe(json{{"metadata", 7}, {"spec", spec}}, now);
  CHECK(state.may_take(now));
  const auto claim = state.claim("skbtrail", "default", "2026-01-01T00:00:00.000000Z");
  CHECK(claim["spec"]["holderIdentity"] == "me");
  CHECK(claim["spec"]["leaseTransitions"] > 0);
  CHECK(state.release("2026-01-01T00:00:00.000000Z")["spec"]["holderIdentity"] == "");
}
