#include "session/session_manager.h"

#include <catch2/catch.hpp>
#include <string>

#include "support/kept_lines.h"

using namespace skbtrail;
using namespace skbtrail::test;
using namespace std::chrono_literals;

namespace {

// What runs, as a test moves it.
struct Played {
  NodeStatus status{.phase = SessionPhase::Running};
  bool ended = false;
  bool asked = false;
};

class FakeRun final : public SessionRun {
public:
  FakeRun(std::shared_ptr<Played> played, int& living) : played_(std::move(played)), living_(living) { ++living_; }
  ~FakeRun() override { --living_; }
  void stop() override { played_->asked = played_->ended = true; }
  bool has_ended() const override { return played_->ended; }
  NodeStatus status() const override { return played_->status; }

private:
  std::shared_ptr<Played> played_;
  int& living_;
};

class FakeNode final : public SessionNode {
public:
  Result<> check(const TraceSession& session) override {
    ++checks;
    if (session.spec.filter == "bad")
      return refuse(EINVAL, "spec.filter: syntax error");
    return {};
  }
  Selected selected(const TraceSession&) override { return {.pods = pods, .why = "no runtime"}; }
  std::unique_ptr<SessionRun> start(const TraceSession& session, std::shared_ptr<EventFeed>) override {
    started.push_back(session);
    played[session.key.name] = std::make_shared<Played>();
    return std::make_unique<FakeRun>(played[session.key.name], living);
  }

  std::optional<std::size_t> pods = 1;
  std::vector<TraceSession> started;
  std::map<std::string, std::shared_ptr<Played>> played;
  int living = 0;
  int checks = 0;
};

class Heard final : public SessionListener {
public:
  void changed(const SessionView& view) override { views.push_back(view); }
  std::vector<SessionView> views;
};

TraceSession session_named(const std::string& name, const std::string& space = "shop") {
  TraceSession session;
  session.key = {.namespace_name = space, .name = name};
  session.spec.pod_names = {"web-0"};
  return session;
}

struct Lab {
  FakeNode node;
  Heard heard;
  KeptLines lines;
  SessionManager manager{node, {.max_running = 2, .max_waiting = 6}, "n1", {&heard}, {&lines}};
  SessionManager::Clock::time_point now = SessionManager::Clock::now();

  void turn(std::chrono::milliseconds later = 0ms) {
    now += later;
    manager.turn(now);
  }
  NodeStatus status_of(const std::string& name) {
    return manager.find({.namespace_name = "shop", .name = name})->status;
  }
};

}  // namespace

TEST_CASE("a session that is accepted runs at the next turn, and its end is told once") {
  Lab lab;
  REQUIRE(lab.manager.start(session_named("a"), SessionOrigin::Kubernetes));
  lab.turn();
  lab.turn();
  CHECK(lab.status_of("a").phase == SessionPhase::Running);
  lab.node.played["a"]->status = {.phase = SessionPhase::Completed, .packets = 7};
  lab.node.played["a"]->ended = true;
  lab.turn();
  lab.turn();
  CHECK(lab.status_of("a").packets == 7);
  CHECK(lab.status_of("a").ended_s > 0);
  CHECK(lab.node.living == 0);
  REQUIRE_FALSE(lab.heard.views.empty());
  CHECK(lab.heard.views.back().status.phase == SessionPhase::Completed);
  CHECK(std::ranges::count_if(lab.heard.views,
                              [](const auto& view) { return view.status.phase == SessionPhase::Completed; }) == 1);
  REQUIRE_FALSE(lab.lines.texts.empty());
  CHECK(lab.lines.texts.back().find(
            "\"type\":\"session\",\"node\":\"n1\",\"session\":\"shop/a\",\"phase\":\"Completed\"") !=
        std::string::npos);
}

TEST_CASE("at most the limit runs, the rest waits in the order in which it came, and all finish") {
  Lab lab;
  for (const char* name : {"c", "b"})
    REQUIRE(lab.manager.start(session_named(name), SessionOrigin::Rest));
  lab.turn();
  for (const char* name : {"a", "d", "e"})
    REQUIRE(lab.manager.start(session_named(name), SessionOrigin::Rest));
  lab.turn();
  CHECK(lab.node.living == 2);
  CHECK(lab.status_of("d").message.find("waits for its turn") != std::string::npos);
  const auto refused = lab.manager.start(session_named("f"), SessionOrigin::Rest);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == EAGAIN);
  lab.manager.set_limits({.max_running = 2, .max_waiting = 3});
  for (const char* name : {"c", "b", "a", "d", "e"}) {
    REQUIRE(lab.node.played.contains(name));
    lab.node.played[name]->status.phase = SessionPhase::Completed;
    lab.node.played[name]->ended = true;
    lab.turn();
    CHECK(lab.node.living <= 2);
  }
  CHECK(lab.node.living == 0);
  // As many that have ended are remembered as may wait.
  CHECK(lab.manager.phases()[SessionPhase::Completed] == 3);
  std::string order;
  for (const auto& session : lab.node.started)
    order += session.key.name;
  CHECK(order == "cbade");
}

TEST_CASE("a namespace that fills its share of the line is refused with the cause, and others still find a place") {
  Lab lab;
  lab.manager.set_limits({.max_running = 0, .max_waiting = 6});
  for (const char* name : {"a", "b", "c"})
    REQUIRE(lab.manager.start(session_named(name), SessionOrigin::Rest));
  const auto refused = lab.manager.start(session_named("d"), SessionOrigin::Rest);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == EAGAIN);
  CHECK(refused.error().message ==
        "session 'shop/d': namespace 'shop' has its share of sessions.maxWaiting (6) already: 3 wait on this node, and "
        "3 are left for others: delete some, or wait until they have run");
  CHECK(lab.manager.start(session_named("a", "bank"), SessionOrigin::Kubernetes));
  CHECK(lab.manager.start(session_named("a", ""), SessionOrigin::Kubernetes));
  const auto of_cluster = lab.manager.start(session_named("b", ""), SessionOrigin::Kubernetes);
  REQUIRE_FALSE(of_cluster);
  CHECK(of_cluster.error().message.find("the cluster has its share") != std::string::npos);
}

TEST_CASE("namespaces take turns, however many of one came first") {
  Lab lab;
  lab.manager.set_limits({.max_running = 0, .max_waiting = 100});
  for (const char* name : {"s1", "s2", "s3", "s4"})
    REQUIRE(lab.manager.start(session_named(name), SessionOrigin::Rest));
  for (const char* name : {"b1", "b2"})
    REQUIRE(lab.manager.start(session_named(name, "bank"), SessionOrigin::Rest));
  REQUIRE(lab.manager.start(session_named("c1", ""), SessionOrigin::Kubernetes));
  lab.manager.set_limits({.max_running = 1, .max_waiting = 100});
  std::string order;
  for (int sessions = 0; sessions < 7; ++sessions) {
    lab.turn();
    REQUIRE(lab.node.started.size() == static_cast<std::size_t>(sessions) + 1);
    const std::string name = lab.node.started.back().key.name;
    order += name + " ";
    lab.node.played[name]->status.phase = SessionPhase::Completed;
    lab.node.played[name]->ended = true;
  }
  CHECK(order == "c1 b1 s1 b2 s2 s3 s4 ");
}

TEST_CASE("a session that nobody's pod is selected by here is not attached until one comes, and then has less time") {
  Lab lab;
  lab.node.pods = 0;
  REQUIRE(lab.manager.start(session_named("a"), SessionOrigin::Kubernetes));
  lab.turn();
  lab.turn(20s);
  CHECK(lab.node.started.empty());
  CHECK(lab.status_of("a").phase == SessionPhase::Pending);
  CHECK(lab.status_of("a").message == "none of its pods is on this node");
  lab.node.pods = 2;
  lab.turn(20s);
  REQUIRE(lab.node.started.size() == 1);
  CHECK(lab.node.started[0].spent >= 40s);
  CHECK(lab.node.started[0].spent < 41s);
}

TEST_CASE("a place in line costs no time, also after a wait for pods") {
  Lab lab;
  lab.node.pods = 0;
  REQUIRE(lab.manager.start(session_named("late"), SessionOrigin::Kubernetes));
  lab.now = SessionManager::Clock::now();
  lab.turn();
  lab.node.pods = 1;
  lab.manager.set_limits({.max_running = 0, .max_waiting = 3});
  lab.turn(10s);  // its pods are here, but there is no room
  lab.turn(1h);
  CHECK(lab.status_of("late").message.starts_with("waits for its turn"));
  lab.node.pods = 0;
  lab.turn(1h);  // its pods have gone
  CHECK(lab.status_of("late").phase == SessionPhase::Pending);
  lab.node.pods = 1;
  lab.manager.set_limits({.max_running = 1, .max_waiting = 3});
  lab.turn(5s);
  REQUIRE(lab.node.started.size() == 1);
  CHECK(lab.node.started[0].spent >= 15s);
  CHECK(lab.node.started[0].spent < 16s);
}

TEST_CASE("what there is no room for costs no check") {
  Lab lab;
  lab.manager.set_limits({.max_running = 0, .max_waiting = 1});
  REQUIRE(lab.manager.start(session_named("a"), SessionOrigin::Rest));
  CHECK(lab.node.checks == 1);
  CHECK(lab.manager.start(session_named("a"), SessionOrigin::Rest).error().code == EEXIST);
  CHECK(lab.manager.start(session_named("b"), SessionOrigin::Kubernetes).error().code == EAGAIN);
  CHECK(lab.node.checks == 1);
}

TEST_CASE("a session whose pods never come expires when its time is over") {
  Lab lab;
  lab.node.pods = std::nullopt;
  REQUIRE(lab.manager.start(session_named("a"), SessionOrigin::Kubernetes));
  lab.turn();
  lab.turn(59s);
  CHECK(lab.status_of("a").phase == SessionPhase::Pending);
  lab.turn(2s);
  CHECK(lab.status_of("a").phase == SessionPhase::Expired);
  CHECK(lab.status_of("a").message == "its time is over, and no runtime");
}

TEST_CASE("a session that is removed stops at once, and its name is free while its probes still go") {
  Lab lab;
  REQUIRE(lab.manager.start(session_named("a"), SessionOrigin::Rest));
  lab.turn();
  const auto before = lab.node.played["a"];
  REQUIRE(lab.manager.remove({.namespace_name = "shop", .name = "a"}));
  CHECK(before->asked);
  before->ended = false;
  CHECK_FALSE(lab.manager.find({.namespace_name = "shop", .name = "a"}));
  const auto again = lab.manager.remove({.namespace_name = "shop", .name = "a"});
  REQUIRE_FALSE(again);
  CHECK(again.error().code == ENOENT);
  REQUIRE(lab.manager.start(session_named("a"), SessionOrigin::Rest));
  lab.turn();
  CHECK(lab.node.living == 2);
  before->ended = true;
  lab.turn();
  CHECK(lab.node.living == 1);
}

TEST_CASE("a bad filter is refused to REST, and is the status of an object that kubectl made") {
  Lab lab;
  auto session = session_named("a");
  session.spec.filter = "bad";
  const auto refused = lab.manager.start(session, SessionOrigin::Rest);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == EINVAL);
  CHECK(lab.manager.list().empty());
  REQUIRE(lab.manager.start(session, SessionOrigin::Kubernetes));
  lab.turn();
  CHECK(lab.status_of("a").phase == SessionPhase::Failed);
  CHECK(lab.status_of("a").message == "spec.filter: syntax error");
  REQUIRE(lab.heard.views.size() == 1);
  const auto twice = lab.manager.start(session, SessionOrigin::Kubernetes);
  REQUIRE_FALSE(twice);
  CHECK(twice.error().code == EEXIST);
}

TEST_CASE("numbers alone are reported every ten seconds at most") {
  Lab lab;
  REQUIRE(lab.manager.start(session_named("a"), SessionOrigin::Kubernetes));
  lab.turn();
  lab.turn();
  const auto reports = lab.heard.views.size();
  for (int turns = 0; turns < 150; ++turns) {
    ++lab.node.played["a"]->status.packets;
    lab.turn(100ms);
  }
  CHECK(lab.heard.views.size() == reports + 1);
}

TEST_CASE("what REST started is forgotten when its time after the end is over; a cluster's object is not") {
  Lab lab;
  for (const auto origin : {SessionOrigin::Rest, SessionOrigin::Kubernetes})
    REQUIRE(lab.manager.start(session_named(origin == SessionOrigin::Rest ? "rest" : "object"), origin));
  lab.turn();
  for (const char* name : {"rest", "object"}) {
    lab.node.played[name]->status.phase = SessionPhase::Completed;
    lab.node.played[name]->ended = true;
  }
  lab.turn();
  lab.turn(3599s);
  CHECK(lab.manager.list().size() == 2);
  lab.turn(2s);
  REQUIRE(lab.manager.list().size() == 1);
  CHECK(lab.manager.list()[0].session.key.name == "object");
}

TEST_CASE("an agent that ends stops its sessions and leaves them as running, with their last numbers") {
  Heard heard;
  FakeNode node;
  {
    SessionManager manager{node, {}, "n1", {&heard}, {}};
    REQUIRE(manager.start(session_named("a"), SessionOrigin::Kubernetes));
    manager.turn(SessionManager::Clock::now());
    node.played["a"]->status.events = 5;
  }
  CHECK(node.living == 0);
  CHECK(node.played["a"]->asked);
  REQUIRE_FALSE(heard.views.empty());
  CHECK(heard.views.back().status.phase == SessionPhase::Running);
  CHECK(heard.views.back().status.events == 5);
}

TEST_CASE("the manager's own thread starts what is commanded without waiting for its next turn") {
  FakeNode node;
  Heard heard;
  SessionManager manager{node, {}, "n1", {&heard}, {}};
  manager.begin();
  REQUIRE(manager.start(session_named("a"), SessionOrigin::Rest));
  const auto until = SessionManager::Clock::now() + 5s;
  while (manager.phases()[SessionPhase::Running] == 0 && SessionManager::Clock::now() < until)
    std::this_thread::sleep_for(1ms);
  CHECK(manager.phases()[SessionPhase::Running] == 1);
}

TEST_CASE("whoever asks hears when the manager last turned") {
  Lab lab;
  lab.turn(5s);
  CHECK(lab.manager.last_turn() == lab.now);
  lab.turn(7s);
  CHECK(lab.manager.last_turn() == lab.now);
}
