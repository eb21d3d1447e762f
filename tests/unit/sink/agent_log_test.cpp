#include "sink/agent_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <string>

#include "base/unique_fd.h"
#include "support/kept_lines.h"

using namespace skbtrail;
using namespace skbtrail::test;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

struct Lab {
  KeptLines lines;
  AgentLog::Clock::time_point now{};
  AgentLog log{{.node = "n1", .lines = &lines}};

  void tell(const std::string& message, LogLevel level = LogLevel::Warning) { log.tell(level, message, now); }
  json line(std::size_t at) const { return json::parse(lines.texts.at(at)); }
};

// What a log of text writes.
template <class Act>
std::string text_of(const Act& act) {
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  const UniqueFd reader{ends[0]};
  {
    const UniqueFd writer{ends[1]};
    AgentLog log{{.node = "n1", .text_fd = writer.get()}};
    act(log);
  }
  std::string text(4096, '\0');
  const ssize_t got = ::read(reader.get(), text.data(), text.size());
  REQUIRE(got >= 0);
  text.resize(static_cast<std::size_t>(got));
  return text;
}

}  // namespace

TEST_CASE("a message is a line of type agent, with its level, and of no session") {
  Lab lab;
  lab.tell("say \"no\"\n", LogLevel::Error);
  REQUIRE(lab.lines.texts.size() == 1);
  auto line = lab.line(0);
  CHECK(line["ts"].get<std::string>().ends_with("Z"));
  line.erase("ts");
  CHECK(line ==
        json{{"type", "agent"}, {"node", "n1"}, {"session", nullptr}, {"level", "error"}, {"message", "say \"no\"\n"}});
}

TEST_CASE("what matters less than the level is not told, and the level may change") {
  Lab lab;
  lab.tell("a", LogLevel::Debug);
  CHECK(lab.lines.texts.empty());
  lab.log.set_level(LogLevel::Error);
  lab.tell("b", LogLevel::Warning);
  CHECK(lab.lines.texts.empty());
  lab.log.set_level(LogLevel::Debug);
  lab.tell("a", LogLevel::Debug);
  CHECK(lab.line(0)["level"] == "debug");
}

TEST_CASE("a message that comes again and again is told once a period, and nothing of it is lost") {
  Lab lab;
  for (int times = 0; times < 5; ++times)
    lab.tell("away");
  lab.tell("another");
  CHECK(lab.lines.texts.size() == 2);
  lab.now += AgentLog::kPeriod;
  lab.tell("away");
  REQUIRE(lab.lines.texts.size() == 3);
  CHECK(lab.line(2)["message"] == "away");
  CHECK(lab.line(2)["left_out"] == 4);
}

TEST_CASE("what was left out of a message that comes no more is told after its period, once") {
  Lab lab;
  for (int times = 0; times < 3; ++times)
    lab.tell("away");
  lab.log.turn(lab.now + AgentLog::kPeriod - 1ms);
  CHECK(lab.lines.texts.size() == 1);
  lab.log.turn(lab.now + AgentLog::kPeriod);
  lab.log.turn(lab.now + 3 * AgentLog::kPeriod);
  REQUIRE(lab.lines.texts.size() == 2);
  CHECK(lab.line(1)["left_out"] == 1);
  CHECK(lab.line(1)["level"] == "warning");
}

TEST_CASE("however many messages there are, few are kept, and one that is forgotten is told first") {
  Lab lab;
  lab.tell("away");
  lab.tell("away");
  for (std::size_t number = 0; number < AgentLog::kRemembered; ++number)
    lab.tell("message " + std::to_string(number));
  REQUIRE(lab.lines.texts.size() == AgentLog::kRemembered + 2);
  CHECK(lab.line(AgentLog::kRemembered)["message"] == "away");
  CHECK_FALSE(lab.line(AgentLog::kRemembered).contains("left_out"));
}

TEST_CASE("a message has an end") {
  Lab lab;
  lab.tell(std::string(AgentLog::kMostBytes - 1, 'a') + "é and more");
  CHECK(lab.line(0)["message"] == std::string(AgentLog::kMostBytes - 1, 'a'));
}

TEST_CASE("a part's messages begin with what they are about") {
  Lab lab;
  const Teller tell = lab.log.teller("REST: ");
  tell(LogLevel::Info, "ready");
  CHECK(lab.line(0)["message"] == "REST: ready");
  CHECK(lab.line(0)["level"] == "info");
}

TEST_CASE("as text a message is a line for people, and the end of the log tells what was left out") {
  const std::string text = text_of([](AgentLog& log) {
    for (int times = 0; times < 3; ++times)
      log.tell(LogLevel::Warning, "away");
    log.tell(LogLevel::Info, "metrics on 127.0.0.1:9464");
  });
  CHECK(text ==
        "skbtrail agent: away\nskbtrail agent: metrics on 127.0.0.1:9464\n"
        "skbtrail agent: away (and once more)\n");
}
