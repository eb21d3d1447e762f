#include "kube/session_summary.h"

#include <catch2/catch.hpp>

#include "unit/kube/stored.h"

using namespace skbtrail;

namespace {

SessionPhase phase_at(const StoredSession& stored, std::int64_t now_s) {
  return *summary_of(stored, now_s).phase;
}

}  // namespace

TEST_CASE("a session without any node is pending until its time is over, then expired") {
  const auto stored = stored_session();
  CHECK(phase_at(stored, kCreated) == SessionPhase::Pending);
  CHECK(phase_at(stored, kCreated + 64) == SessionPhase::Pending);
  const auto over = summary_of(stored, kCreated + 65);
  CHECK(over.phase == SessionPhase::Expired);
  CHECK(over.ended_s == kCreated + 65);
  CHECK(over.conditions.front().message == "its time is over, and no node had one of its pods");
}

TEST_CASE("one node that runs makes the session run, and its end waits for all") {
  auto stored = stored_session({entry("n1", SessionPhase::Running, kCreated + 1)});
  stored.nodes.push_back(entry("n2", SessionPhase::Failed, 0, kCreated + 2));
  stored.nodes.back().status.message = "no BTF";
  auto summary = summary_of(stored, kCreated + 10);
  CHECK(summary.phase == SessionPhase::Running);
  CHECK(summary.started_s == kCreated + 1);
  CHECK(summary.ended_s == 0);
  CHECK(summary.conditions[0].type == "Ready");
  CHECK(summary.conditions[0].is_true);
  CHECK(summary.conditions[0].message == "2 nodes: 1 Running, 1 Failed; n2: no BTF");
  stored.nodes[0] = entry("n1", SessionPhase::Completed, kCreated + 1, kCreated + 61);
  summary = summary_of(stored, kCreated + 62);
  CHECK(summary.phase == SessionPhase::Completed);
  CHECK(summary.ended_s == kCreated + 61);
  CHECK(summary.conditions[1].is_true);
}

TEST_CASE("a session does not end before others could have said a word") {
  const auto stored = stored_session({entry("n1", SessionPhase::Failed, 0, kCreated)});
  CHECK(phase_at(stored, kCreated + 4) == SessionPhase::Pending);
  CHECK(phase_at(stored, kCreated + 5) == SessionPhase::Failed);
}

TEST_CASE("a node whose clock is an hour behind is not overdue before its time is over") {
  const auto stored = stored_session({entry("n1", SessionPhase::Running, kCreated - 3600)});
  CHECK(overdue_nodes(stored, kCreated + 90).empty());
  CHECK(overdue_nodes(stored, kCreated + 91) == std::vector<std::string>{"n1"});
}

TEST_CASE("a node that never tells of its end has failed, and the session ends without it") {
  const auto stored = stored_session(
      {entry("n1", SessionPhase::Running, kCreated), entry("n2", SessionPhase::Completed, kCreated, kCreated + 60)});
  CHECK(overdue_nodes(stored, kCreated + 90).empty());
  CHECK(phase_at(stored, kCreated + 90) == SessionPhase::Running);
  CHECK(overdue_nodes(stored, kCreated + 91) == std::vector<std::string>{"n1"});
  const auto summary = summary_of(stored, kCreated + 91);
  CHECK(summary.phase == SessionPhase::Completed);
  CHECK(summary.conditions[0].message == "2 nodes: 1 Completed, 1 Failed; n1: has not told of its end");
}

TEST_CASE("a node that could not tell of its end is not late for that") {
  const auto stored = stored_session({entry("n1", SessionPhase::Running, kCreated)});
  const auto during = summary_of(stored, kCreated + 100, std::chrono::seconds(10));
  CHECK(during.phase == SessionPhase::Running);
  CHECK(during.conditions[0].message == "1 node: 1 Running");
  CHECK(overdue_nodes(stored, kCreated + 100, std::chrono::seconds(10)).empty());
  CHECK(summary_of(stored, kCreated + 101, std::chrono::seconds(10)).phase == SessionPhase::Failed);
}

TEST_CASE("sums are those of all nodes, and grow after the end; the phase does not change any more") {
  auto stored = stored_session({entry("n1", SessionPhase::Completed, kCreated, kCreated + 60),
                                entry("n2", SessionPhase::Completed, kCreated, kCreated + 60)});
  stored.nodes[0].status.packets = 3;
  stored.nodes[1].status.packets = 4;
  stored.nodes[1].status.drops = 2;
  stored.nodes[1].status.lost = 1;
  stored.overall = {.phase = SessionPhase::Completed, .ended_s = kCreated + 60};
  stored.nodes.push_back(entry("n3", SessionPhase::Running, kCreated));
  const auto summary = summary_of(stored, kCreated + 70);
  CHECK(summary.phase == SessionPhase::Completed);
  CHECK(summary.packets == 7);
  CHECK(summary.drops == 2);
  CHECK(summary.lost == 1);
  CHECK(summary.nodes == 3);
}

TEST_CASE("a condition says since when it holds") {
  auto stored = stored_session({entry("n1", SessionPhase::Running, kCreated)});
  stored.overall = summary_of(stored, kCreated + 1);
  CHECK(stored.overall.conditions[0].since_s == kCreated + 1);
  CHECK(summary_of(stored, kCreated + 9).conditions[0].since_s == kCreated + 1);
  stored.nodes[0] = entry("n1", SessionPhase::Completed, kCreated, kCreated + 60);
  CHECK(summary_of(stored, kCreated + 61).conditions[0].since_s == kCreated + 61);
}

TEST_CASE("what has ended is deleted when its time is over") {
  auto stored = stored_session();
  stored.asked->spec.ttl_after_finished = std::chrono::seconds(100);
  CHECK(until_deletion(stored, kCreated + 10'000).count() > 10'000);
  stored.overall = {.phase = SessionPhase::Failed, .ended_s = kCreated};
  CHECK(until_deletion(stored, kCreated + 99).count() == 1);
  CHECK(until_deletion(stored, kCreated + 100).count() == 0);
}

TEST_CASE("an end lies between the creation and now, whatever the clocks of nodes say") {
  auto stored = stored_session({entry("n1", SessionPhase::Completed, kCreated, kCreated + 1'000'000)});
  CHECK(summary_of(stored, kCreated + 70).ended_s == kCreated + 70);
  stored.nodes[0].status.ended_s = 5;
  CHECK(summary_of(stored, kCreated + 70).ended_s == kCreated);
  stored.nodes[0].status.ended_s = kCreated + 60;
  CHECK(summary_of(stored, kCreated + 70).ended_s == kCreated + 60);
  stored.overall = {.phase = SessionPhase::Completed, .ended_s = kCreated + 1'000'000};
  CHECK(summary_of(stored, kCreated - 50).ended_s == kCreated);
  CHECK(until_deletion(stored, kCreated + 70) == kept_for(stored));
}

TEST_CASE("a node whose turn never comes does not keep a session for ever") {
  const auto stored = stored_session(
      {entry("n1", SessionPhase::Pending), entry("n2", SessionPhase::Completed, kCreated, kCreated + 60)});
  constexpr std::int64_t kLast = kCreated + 65 * 60 + 60;
  CHECK(phase_at(stored, kLast) == SessionPhase::Running);
  CHECK(overdue_nodes(stored, kLast).empty());
  CHECK(overdue_nodes(stored, kLast + 1) == std::vector<std::string>{"n1"});
  const auto summary = summary_of(stored, kLast + 1);
  CHECK(summary.phase == SessionPhase::Completed);
  CHECK(summary.conditions[0].message == "2 nodes: 1 Completed, 1 Failed; n1: did not report when its turn came");
}

TEST_CASE("a node that began in the future, or at no time, is not waited for for ever") {
  for (const std::int64_t started : {std::int64_t{0}, kCreated + 1'000'000'000}) {
    const auto stored = stored_session({entry("n1", SessionPhase::Running, started)});
    CHECK(phase_at(stored, kCreated + 65 * 60 + 90) == SessionPhase::Running);
    CHECK(phase_at(stored, kCreated + 65 * 60 + 91) == SessionPhase::Failed);
  }
}
