#include "kube/node_sessions.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "session/session_object.h"
#include "unit/kube/api_fake.h"
#include "unit/kube/stored.h"

using namespace skbtrail;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

// What is started, and nothing else.
class Started final : public SessionControl {
public:
  Result<> start(TraceSession session, SessionOrigin) override {
    if (refusal)
      return *refusal;
    sessions.insert_or_assign(session.key, session);
    return {};
  }
  Result<> remove(const SessionKey& key) override {
    sessions.erase(key);
    return {};
  }
  std::vector<SessionView> list() const override { return {}; }
  std::optional<SessionView> find(const SessionKey&) const override { return {}; }
  Result<std::unique_ptr<EventStream>> follow(const SessionKey&, std::size_t) override {
    return refuse(ENOENT, "nothing to follow");
  }

  std::map<SessionKey, TraceSession> sessions;
  std::optional<Error> refusal;
};

std::string answer_with(const std::vector<std::string>& nodes) {
  json entries = json::array();
  for (const auto& node : nodes)
    entries.push_back({{"node", node}, {"phase", "Running"}});
  return json{{"metadata", {{"name", "web"}, {"namespace", "shop"}, {"uid", "uid-1"}}},
              {"status", {{"nodes", entries}}}}
      .dump();
}

struct Lab {
  std::atomic<int> code = 200;
  std::string answer = answer_with({"n1"});
  std::atomic<int> code_of_web = 0;      // 0: as all
  std::atomic<int> code_of_retract = 0;  // 0: as all
  ApiFake server{[this](const Asked& asked, httplib::Response& response) {
    int status = code;
    if (code_of_web != 0 && asked.target.find("/web/") != std::string::npos)
      status = code_of_web;
    if (code_of_retract != 0 && asked.body.find("\"nodes\"") == std::string::npos)
      status = code_of_retract;
    give(response, answer, status);
  }};
  ApiClient client{server.endpoint()};
  NodeSessions sessions{{.node = "n1", .least_wait = 1000ms, .most_wait = 4000ms}};
  Started started;
  StoredSessions stored;
  NodeSessions::Clock::time_point now = NodeSessions::Clock::now();

  // The node knows the session, and begins with the next turn.
  explicit Lab(StoredSession one = stored_session()) {
    put(std::move(one));
    turn(0ms);
  }
  void put(StoredSession one) {
    const auto key = one.key;
    stored.insert_or_assign(key, std::make_shared<const StoredSession>(std::move(one)));
  }
  void turn(std::chrono::milliseconds later = 2s) {
    now += later;
    const NodeSessions::Turn turn{.stored = stored, .client = client, .now = now, .now_s = kCreated + 2};
    sessions.reconcile(turn, started);
    sessions.write(turn);
  }
  void hear(const NodeStatus& status) {
    sessions.changed({.session = *stored_session().asked, .origin = SessionOrigin::Kubernetes, .status = status});
  }
  json last_entry() const { return json::parse(server.asked().back().body)["status"]["nodes"][0]; }
};

NodeStatus running(std::uint64_t packets) {
  return {.phase = SessionPhase::Running, .started_s = kCreated, .pods = 1, .packets = packets};
}

}  // namespace

TEST_CASE("a session is started once, and told of when it has something to trace") {
  Lab lab;
  lab.turn();
  lab.turn();
  CHECK(lab.started.sessions.size() == 1);
  lab.hear({.phase = SessionPhase::Pending, .message = "none of its pods is on this node"});
  lab.turn();
  CHECK(lab.server.asked().empty());
  lab.hear(running(1));
  lab.turn();
  REQUIRE(lab.server.asked().size() == 1);
  CHECK(lab.server.asked()[0].target ==
        "/apis/skbtrail.dev/v1alpha1/namespaces/shop/tracesessions/web/status?force=true&fieldManager=skbtrail-n1");
  CHECK(json::parse(lab.server.asked()[0].body)["metadata"]["uid"] == "uid-1");
  CHECK(lab.last_entry()["packets"] == 1);
}

TEST_CASE("numbers wait for ten seconds for each node that writes, phases do not") {
  Lab lab;
  lab.put(stored_session({entry("n2", SessionPhase::Running), entry("n3", SessionPhase::Running)}));
  lab.turn();
  lab.hear(running(1));
  lab.turn();
  lab.hear(running(2));
  lab.turn(17s);
  CHECK(lab.server.asked().size() == 1);
  lab.turn(4s);
  CHECK(lab.server.asked().size() == 2);
  auto done = running(3);
  done.phase = SessionPhase::Completed;
  lab.hear(done);
  lab.turn(1ms);
  CHECK(lab.server.asked().size() == 3);
  CHECK(lab.last_entry()["phase"] == "Completed");
}

TEST_CASE("a node that finds too many others in the answer takes its entry away and stands back") {
  auto stored = stored_session();
  stored.asked->spec.max_nodes = 1;
  Lab lab(stored);
  lab.answer = answer_with({"n1", "n2"});
  lab.turn();
  lab.hear(running(1));
  lab.turn();
  REQUIRE(lab.server.asked().size() == 2);
  CHECK(json::parse(lab.server.asked()[1].body)["status"] == json::object());
  lab.turn();
  CHECK(lab.started.sessions.empty());
  lab.turn();
  CHECK(lab.started.sessions.empty());
  CHECK(lab.server.asked().size() == 2);
}

TEST_CASE("an API server that is away is written to later, with growing waits") {
  Lab lab;
  lab.code = 500;
  lab.turn();
  lab.hear(running(1));
  lab.turn();
  CHECK(lab.server.asked().size() == 1);
  lab.turn(1ms);
  CHECK(lab.server.asked().size() == 1);
  lab.code = 200;
  lab.turn(5s);
  CHECK(lab.server.asked().size() == 2);
  lab.turn(5s);
  CHECK(lab.server.asked().size() == 2);
}

TEST_CASE("what is deleted is ended here, and another object of the same name begins anew") {
  Lab lab;
  lab.turn();
  lab.hear(running(5));
  lab.turn();
  auto other = stored_session();
  other.uid = "uid-2";
  lab.put(other);
  lab.turn();
  CHECK(lab.started.sessions.empty());
  lab.turn();
  CHECK(lab.started.sessions.empty());  // its own delay
  lab.turn();
  CHECK(lab.started.sessions.size() == 1);
  lab.stored.clear();
  lab.turn();
  CHECK(lab.started.sessions.empty());
}

TEST_CASE("the last words are written also when nothing else may be yet") {
  Lab lab;
  lab.turn();
  lab.hear(running(1));
  lab.turn();
  lab.hear(running(8));
  lab.sessions.write_last({.stored = lab.stored, .client = lab.client, .now = lab.now, .now_s = kCreated + 3});
  REQUIRE(lab.server.asked().size() == 2);
  CHECK(lab.last_entry()["packets"] == 8);
  CHECK(lab.last_entry()["phase"] == "Running");
}

TEST_CASE("a session that REST runs under this name fails here") {
  Lab lab;
  lab.started.refusal = refuse(EEXIST, "session 'shop/web' exists already");
  lab.turn();
  CHECK(lab.last_entry()["phase"] == "Failed");
  CHECK(lab.last_entry()["message"] == "session 'shop/web' exists already, by the REST API of this node");
}

TEST_CASE("the name of a field manager has a bound, and stays the node's own") {
  CHECK(field_manager_of("n1") == "skbtrail-n1");
  const std::string prefix(150, 'a');
  CHECK(field_manager_of(prefix + "1").size() == 128);
  CHECK(field_manager_of(prefix + "1") != field_manager_of(prefix + "2"));
}

TEST_CASE("a session whose status is refused keeps no other one waiting") {
  Lab lab;
  lab.code_of_web = GENERATE(403, 413, 500);
  auto other = stored_session();
  other.key.name = other.asked->key.name = "xyz";
  other.uid = other.asked->uid = "uid-9";
  lab.put(other);
  lab.turn();
  lab.turn();
  lab.hear(running(1));
  lab.sessions.changed({.session = *other.asked, .origin = SessionOrigin::Kubernetes, .status = running(2)});
  lab.turn();
  const auto written = [&](const std::string& name) {
    return std::ranges::count_if(
        lab.server.asked(), [&](const Asked& one) { return one.target.find("/" + name + "/") != std::string::npos; });
  };
  CHECK(written("web") == 1);
  CHECK(written("xyz") == 1);
  lab.turn(1ms);
  CHECK(written("web") == 1);
  lab.code_of_web = 0;
  lab.turn(5s);
  CHECK(written("web") == 2);
  lab.turn(5s);
  CHECK(written("web") == 2);
}

TEST_CASE("a node whose first entry is not taken stands back, and has nothing to take away") {
  Lab lab;
  lab.turn();
  REQUIRE(lab.started.sessions.size() == 1);
  lab.code = 422;
  lab.hear(running(1));
  lab.turn();
  lab.turn();
  CHECK(lab.started.sessions.empty());
  CHECK(lab.server.asked().size() == 1);
  lab.turn(60s);
  CHECK(lab.started.sessions.empty());
  CHECK(lab.server.asked().size() == 1);
}

TEST_CASE("a node that stands back asks for its entry to be taken away until it is") {
  auto stored = stored_session();
  stored.asked->spec.max_nodes = 1;
  Lab lab(stored);
  lab.answer = answer_with({"n1", "n2"});
  lab.code_of_retract = 500;
  lab.turn();
  lab.hear(running(1));
  lab.turn();
  CHECK(lab.server.asked().size() == 2);
  lab.turn(5s);
  CHECK(lab.started.sessions.empty());
  CHECK(lab.server.asked().size() == 3);
  lab.code_of_retract = 0;
  lab.turn(5s);
  REQUIRE(lab.server.asked().size() == 4);
  CHECK(json::parse(lab.server.asked()[3].body)["status"] == json::object());
  lab.turn(60s);
  CHECK(lab.server.asked().size() == 4);
  CHECK(lab.started.sessions.empty());
}

TEST_CASE("what is heard of an object that is gone is not said of another one of its name") {
  Lab lab;
  auto other = stored_session();
  other.uid = other.asked->uid = "uid-2";
  lab.put(other);
  lab.turn();
  lab.turn();
  lab.turn();
  REQUIRE(lab.started.sessions.size() == 1);
  lab.hear(running(5));  // of uid-1
  lab.turn();
  CHECK(lab.server.asked().empty());
}
