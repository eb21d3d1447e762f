#include "kube/node_part.h"

#include <catch2/catch.hpp>

#include "unit/kube/stored.h"

using namespace skbtrail;
using namespace std::chrono_literals;

namespace {

const std::string kNode = "n1";

PartDecision decided(const StoredSession& stored, std::int64_t now_s, const LocalPart* local = nullptr) {
  return decide({.stored = stored, .local = local, .node = kNode, .known_for = 2s, .labels_fit = {}, .now_s = now_s});
}

}  // namespace

TEST_CASE("a new session is begun, after this node's own delay") {
  const auto stored = stored_session();
  CHECK(decide({.stored = stored, .node = kNode, .known_for = 0ms, .now_s = kCreated}).action == PartAction::Wait);
  const auto decision = decided(stored, kCreated + 1);
  CHECK(decision.action == PartAction::Start);
  CHECK(decision.session.spent == 0s);
  CHECK(decision.session.key == stored.key);
}

TEST_CASE("delays are spread, and the same for the same session and node") {
  double least = 1;
  double most = 0;
  for (int i = 0; i < 200; ++i) {
    const double share = share_of("uid", "node-" + std::to_string(i));
    CHECK(share == share_of("uid", "node-" + std::to_string(i)));
    least = std::min(least, share);
    most = std::max(most, share);
  }
  CHECK(least < 0.05);
  CHECK(most > 0.95);
}

TEST_CASE("a node that comes late has the time that is left, or none") {
  auto stored = stored_session({entry("n2", SessionPhase::Running, kCreated + 1)});
  stored.overall.started_s = kCreated + 1;
  CHECK(decided(stored, kCreated + 21).session.spent == 20s);
  CHECK(decided(stored, kCreated + 61).action == PartAction::Nothing);
}

TEST_CASE("a node stands back when as many as asked for are there") {
  auto stored = stored_session({entry("n2", SessionPhase::Running), entry("n3", SessionPhase::Failed)});
  stored.asked->spec.max_nodes = 2;
  CHECK(decided(stored, kCreated).action == PartAction::Nothing);
  stored.asked->spec.max_nodes = 3;
  CHECK(decided(stored, kCreated).action == PartAction::Start);
  const LocalPart back{.uid = "uid-1", .generation = 1, .stood_back = true};
  CHECK(decided(stored, kCreated, &back).action == PartAction::Nothing);
}

TEST_CASE("labels of the node are asked for only where they matter") {
  auto stored = stored_session();
  stored.asked->spec.node_selector = SelectorSpec{.match_labels = {{"zone", "a"}}};
  CHECK(decided(stored, kCreated).action == PartAction::AskLabels);
  PartQuestion question{.stored = stored, .node = kNode, .known_for = 2s, .labels_fit = false, .now_s = kCreated};
  CHECK(decide(question).action == PartAction::Nothing);
  question.labels_fit = true;
  CHECK(decide(question).action == PartAction::Start);
}

TEST_CASE("a wrong session is told of by one node") {
  auto stored = stored_session();
  stored.asked.reset();
  stored.fault = "spec.filter: wrong";
  const auto told = decided(stored, kCreated);
  CHECK(told.action == PartAction::Tell);
  CHECK(told.before.phase == SessionPhase::Failed);
  CHECK(told.before.message == "spec.filter: wrong");
  stored.nodes = {entry("n2", SessionPhase::Failed)};
  CHECK(decided(stored, kCreated).action == PartAction::Nothing);
}

TEST_CASE("an agent that starts anew goes on with what is left of time and events") {
  auto stored = stored_session({entry(kNode, SessionPhase::Running, kCreated)});
  stored.nodes[0].status.events = 400;
  stored.asked->spec.max_events = 1000;
  const auto decision = decided(stored, kCreated + 15);
  CHECK(decision.action == PartAction::Start);
  CHECK(decision.session.spent == 15s);
  CHECK(decision.session.spec.max_events == 600);
  CHECK(decision.before.events == 400);
}

TEST_CASE("a start that a wrong clock has told is none before the session was made, and none that is yet to come") {
  const auto behind = stored_session({entry("n1", SessionPhase::Running, kCreated - 3600)});
  auto decision = decide({.stored = behind, .node = "n1", .now_s = kCreated + 20});
  CHECK(decision.action == PartAction::Start);
  CHECK(decision.session.spent == std::chrono::seconds(20));
  const auto ahead = stored_session({entry("n1", SessionPhase::Running, kCreated + 3600)});
  decision = decide({.stored = ahead, .node = "n1", .now_s = kCreated + 20});
  CHECK(decision.action == PartAction::Start);
  CHECK(decision.session.spent == std::chrono::seconds(0));
}

TEST_CASE("an agent that starts anew closes what is over, with the numbers from before") {
  auto stored = stored_session({entry(kNode, SessionPhase::Running, kCreated)});
  stored.nodes[0].status.packets = 9;
  const auto told = decided(stored, kCreated + 200);
  CHECK(told.action == PartAction::Tell);
  CHECK(told.before.phase == SessionPhase::Completed);
  CHECK(told.before.ended_s == kCreated + 60);
  CHECK(told.before.packets == 9);
  stored.nodes[0] = entry(kNode, SessionPhase::Completed, kCreated, kCreated + 60);
  CHECK(decided(stored, kCreated + 200).action == PartAction::Nothing);
}

TEST_CASE("one that waits for its turn keeps its whole time when its agent starts anew") {
  const auto stored = stored_session({entry(kNode, SessionPhase::Pending)});
  const auto decision = decided(stored, kCreated + 500);
  CHECK(decision.action == PartAction::Start);
  CHECK(decision.session.spent == 0s);
}

TEST_CASE("what runs is ended when it is deleted, another object, another request, or over for all") {
  auto stored = stored_session({entry(kNode, SessionPhase::Running, kCreated)});
  LocalPart local{.uid = "uid-1", .generation = 1, .status = NodeStatus{.phase = SessionPhase::Running}};
  CHECK(decided(stored, kCreated, &local).action == PartAction::Nothing);
  stored.is_leaving = true;
  CHECK(decided(stored, kCreated, &local).action == PartAction::Remove);
  stored.is_leaving = false;
  stored.overall.phase = SessionPhase::Completed;
  CHECK(decided(stored, kCreated, &local).action == PartAction::Remove);
  stored.overall.phase = SessionPhase::Running;
  stored.generation = 2;
  CHECK(decided(stored, kCreated, &local).action == PartAction::Remove);
  stored.generation = 1;
  stored.uid = "uid-2";
  local.status->phase = SessionPhase::Completed;
  CHECK(decided(stored, kCreated, &local).action == PartAction::Remove);
}

TEST_CASE("a node without pods of a session has no entry") {
  const auto session = *stored_session().asked;
  CHECK_FALSE(is_worth_an_entry(session, {.phase = SessionPhase::Pending}));
  CHECK_FALSE(is_worth_an_entry(session, {.phase = SessionPhase::Expired}));
  CHECK(is_worth_an_entry(session, {.phase = SessionPhase::Pending, .pods = 1}));
  CHECK(is_worth_an_entry(session, {.phase = SessionPhase::Failed}));
  TraceSession of_host{.key = {.name = "all"}};
  of_host.spec.host_network = true;
  CHECK(is_worth_an_entry(of_host, {.phase = SessionPhase::Pending}));
}

TEST_CASE("numbers of before and now are added, and the most frequent drops kept") {
  NodeStatus before{.started_s = 5, .packets = 1, .events = 2, .lost = 3, .drops = 4};
  before.top_drops = {{"A", "f", 5}, {"B", "g", 1}};
  NodeStatus now{.started_s = 50, .packets = 10, .events = 20, .lost = 30, .drops = 40};
  now.top_drops = {{"B", "g", 6}};
  const auto sum = added_up(before, now);
  CHECK(sum.started_s == 5);
  CHECK(sum.packets == 11);
  CHECK(sum.events == 22);
  CHECK(sum.lost == 33);
  CHECK(sum.drops == 44);
  REQUIRE(sum.top_drops.size() == 2);
  CHECK(sum.top_drops[0] == TopDrop{"B", "g", 7});
}
