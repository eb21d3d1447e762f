#include "kube/pod_events.h"

#include <catch2/catch.hpp>

#include "unit/kube/api_fake.h"

using namespace skbtrail;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

struct Lab {
  std::atomic<int> code = 201;
  ApiFake server{[this](const Asked&, httplib::Response& response) {
    give(response, code == 409 ? R"({"kind": "Status", "reason": "AlreadyExists"})" : "{}", code);
  }};
  std::mutex mutex;
  std::vector<std::string> log;
  PodEvents events{server.endpoint(), "n1", [this](LogLevel, const std::string& line) {
                     const std::lock_guard lock{mutex};
                     log.push_back(line);
                   }};

  void lose(std::uint64_t packets, const std::string& pod = "web-0") {
    const Pod whose{.namespace_name = "shop", .name = pod, .uid = "uid-" + pod};
    events.note({.pod = whose,
                 .reason = "SOCKET_RCVBUFF",
                 .subsystem = "core",
                 .location = "__udp_enqueue_schedule_skb",
                 .packets = packets});
  }
};

}  // namespace

TEST_CASE("an event is about the pod, says what was lost and what to look at, and is bounded") {
  const PodWarning warning{.namespace_name = "shop",
                           .pod = "web-0",
                           .uid = "uid-1",
                           .reason = "NETFILTER_DROP",
                           .subsystem = "core",
                           .location = std::string(3000, 'x'),
                           .packets = 12,
                           .during = 30s};
  const json event = event_of(warning, "n1", "web-0.1.2", 1'764'000'030);
  CHECK(event["metadata"] == json{{"name", "web-0.1.2"}, {"namespace", "shop"}});
  CHECK(event["involvedObject"] ==
        json{{"apiVersion", "v1"}, {"kind", "Pod"}, {"namespace", "shop"}, {"name", "web-0"}, {"uid", "uid-1"}});
  CHECK(event["type"] == "Warning");
  CHECK(event["reason"] == "PacketsDropped");
  CHECK(event["source"]["host"] == "n1");
  CHECK(event["firstTimestamp"] == "2025-11-24T16:00:00Z");
  CHECK(event["lastTimestamp"] == "2025-11-24T16:00:30Z");
  const auto message = event["message"].get<std::string>();
  CHECK(message.starts_with("12 packets lost in 30 s: NETFILTER_DROP in xxx"));
  CHECK(message.size() == 1024);
}

TEST_CASE("an API server that refuses an event is not asked again for it, and the refusal is told and counted") {
  Lab lab;
  lab.code = 403;
  lab.lose(10);
  REQUIRE(comes([&] { return lab.events.counts().failed == 1; }));
  CHECK(lab.events.counts().written == 0);
  CHECK(lab.server.asked().size() == 1);
  const std::lock_guard lock{lab.mutex};
  REQUIRE(lab.log.size() == 1);
  CHECK(lab.log.front().starts_with("event of a pod: "));
}

TEST_CASE("a pod that loses packets gets one event") {
  Lab lab;
  lab.lose(9);
  lab.lose(9);
  lab.lose(9);
  REQUIRE(comes([&] { return lab.events.counts().written == 1; }));
  const auto asked = lab.server.asked();
  REQUIRE(asked.size() == 1);
  CHECK(asked.front().method == "POST");
  CHECK(asked.front().target == "/api/v1/namespaces/shop/events");
  const auto event = json::parse(asked.front().body);
  CHECK(event["message"].get<std::string>().starts_with("27 packets lost in "));
  CHECK(event["metadata"]["name"].get<std::string>().starts_with("web-0."));
}

TEST_CASE("an event that the API server could not take is tried again, under the same name") {
  Lab lab;
  lab.code = 500;
  lab.lose(10);
  REQUIRE(comes([&] { return lab.server.asked().size() == 2; }));
  lab.code = 409;  // the first try had worked, and its answer was lost
  REQUIRE(comes([&] { return lab.events.counts().written == 1; }));
  const auto asked = lab.server.asked();
  CHECK(json::parse(asked.front().body)["metadata"] == json::parse(asked.back().body)["metadata"]);
  CHECK(lab.events.counts().failed == 0);
}

TEST_CASE("whoever writes events ends at once, also while the API server says nothing") {
  std::atomic<bool> is_asked = false;
  std::atomic<bool> ends = false;
  ApiFake server{[&](const Asked&, httplib::Response&) {
    is_asked = true;
    while (!ends)
      std::this_thread::sleep_for(1ms);
  }};
  auto events = std::make_unique<PodEvents>(server.endpoint(), "n1", tell_nobody);
  const Pod web{.namespace_name = "shop", .name = "web-0", .uid = "uid"};
  events->note({.pod = web, .reason = "XDP", .subsystem = "core", .location = "f", .packets = 10});
  REQUIRE(comes([&] { return is_asked.load(); }));
  const auto started = std::chrono::steady_clock::now();
  events.reset();
  CHECK(std::chrono::steady_clock::now() - started < 2s);
  ends = true;
}
