#include "kube/session_leader.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "unit/kube/api_fake.h"
#include "unit/kube/stored.h"

using namespace skbtrail;
using namespace std::chrono_literals;

namespace {

struct Lab {
  std::atomic<int> code_of_web = 200;
  ApiFake server{[this](const Asked& asked, httplib::Response& response) {
    give(response, "{}", asked.target.find("/web/status") != std::string::npos ? code_of_web.load() : 200);
  }};
  ApiClient client{server.endpoint()};
  std::vector<std::string> log;
  SessionLeader leader{"n1", [this](LogLevel, const std::string& line) { log.push_back(line); }};
  StoredSessions stored;
  SessionLeader::Clock::time_point now = SessionLeader::Clock::now();

  void put(StoredSession one, const std::string& name = "web") {
    one.key.name = name;
    one.uid = "uid-" + name;
    const auto key = one.key;
    stored.insert_or_assign(key, std::make_shared<const StoredSession>(std::move(one)));
  }
  SessionLeader::Turn turn(std::int64_t after_s) const {
    return {.stored = stored, .now = now, .now_s = kCreated + after_s};
  }
  void lead(std::chrono::milliseconds later, std::int64_t after_s = 10) {
    now += later;
    leader.look(turn(after_s));
    leader.lead(turn(after_s), client);
  }
  std::ptrdiff_t asked(const std::string& method, const std::string& path) const {
    const auto all = server.asked();
    return std::ranges::count_if(
        all, [&](const Asked& one) { return one.method == method && one.target.find(path) != std::string::npos; });
  }
};

StoredSession running() {
  return stored_session({entry("n1", SessionPhase::Running, kCreated)});
}

StoredSession ended(std::int64_t ended_s) {
  auto stored = stored_session({entry("n1", SessionPhase::Completed, kCreated, ended_s)});
  stored.asked->spec.ttl_after_finished = 100s;
  stored.overall = {.phase = SessionPhase::Completed, .ended_s = ended_s};
  return stored;
}

}  // namespace

TEST_CASE("a session that the leader cannot write keeps no other one waiting, and is told of once") {
  Lab lab;
  lab.code_of_web = GENERATE(403, 413, 422, 500);
  lab.put(running());
  lab.put(running(), "xyz");
  lab.lead(0ms);
  CHECK(lab.asked("PATCH", "/web/status") == 1);
  CHECK(lab.asked("PATCH", "/xyz/status") == 1);
  lab.lead(1ms);
  CHECK(lab.asked("PATCH", "/web/status") == 1);
  lab.lead(2s);
  CHECK(lab.asked("PATCH", "/web/status") == 2);
  CHECK(lab.log.size() == 1);
  lab.code_of_web = 200;
  lab.lead(5s);
  CHECK(lab.asked("PATCH", "/web/status") == 3);
}

TEST_CASE("an API server that is away is asked once a turn") {
  Lab lab;
  ApiClient away(std::make_shared<ApiEndpoint>(KubeConfig{.server = "http://127.0.0.1:1"}));
  lab.put(running());
  lab.put(running(), "xyz");
  lab.leader.lead(lab.turn(10), away);
  CHECK(lab.log.size() == 1);
  lab.lead(1ms);
  CHECK(lab.server.asked().empty());
}

TEST_CASE("what somebody else says of a session later is put right again") {
  Lab lab;
  lab.put(running());
  lab.lead(0ms);
  CHECK(lab.asked("PATCH", "/web/status") == 1);
  lab.lead(9s);  // on its way back
  CHECK(lab.asked("PATCH", "/web/status") == 1);
  lab.lead(2s);
  CHECK(lab.asked("PATCH", "/web/status") == 2);
}

TEST_CASE("what ended under the eyes of the leader is kept its whole time, whatever the clocks of nodes say") {
  Lab lab;
  lab.put(running());
  lab.lead(0ms, 1000);
  lab.put(ended(kCreated));  // a node's clock is behind
  lab.lead(1s, 1001);
  lab.lead(98s, 1099);
  CHECK(lab.asked("DELETE", "/web") == 0);
  CHECK(lab.leader.next_look(lab.turn(1099)) <= 2s);
  lab.lead(3s, 1102);
  CHECK(lab.asked("DELETE", "/web") == 1);
}

TEST_CASE("what had ended before this agent began is deleted by its own times, and once") {
  Lab lab;
  lab.put(ended(kCreated + 60));
  lab.lead(0ms, 159);
  CHECK(lab.asked("DELETE", "/web") == 0);
  lab.lead(1s, 160);
  lab.lead(1s, 161);
  CHECK(lab.asked("DELETE", "/web") == 1);
}
