#include "sink/log_push.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <string>

#include "sink/loki_body.h"

using namespace skbtrail;
using nlohmann::json;

namespace {

using Answer = LogStore::Answer;

std::shared_ptr<const LineBatch> batch(const std::string& session, std::vector<EventLine> lines) {
  return std::make_shared<const LineBatch>(LineBatch{.session = session, .lines = std::move(lines)});
}

EventLine hop(std::uint64_t time, std::string text) {
  return {.realtime_ns = time, .type = "hop", .text = std::move(text)};
}

// What the store of a test has seen, and what it is to answer. Any thread.
struct StoreState {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<json> bodies;
  std::vector<LogStore::Reply> script;  // taken from the front; when it is over: Taken
  bool is_stuck = false;
  bool is_cancelled = false;

  void wait_for_bodies(std::size_t count) {
    std::unique_lock lock{mutex};
    REQUIRE(changed.wait_for(lock, std::chrono::seconds(20), [&] { return bodies.size() >= count; }));
  }
};

class ScriptedStore final : public LogStore {
public:
  explicit ScriptedStore(std::shared_ptr<StoreState> state) : state_(std::move(state)) {}

  Reply push(const std::string& body) override {
    std::unique_lock lock{state_->mutex};
    state_->bodies.push_back(json::parse(body));
    state_->changed.notify_all();
    state_->changed.wait(lock, [&] { return !state_->is_stuck || state_->is_cancelled; });
    if (state_->is_cancelled)
      return {.why = "cancelled"};
    if (state_->script.empty())
      return {.answer = Answer::Taken};
    auto reply = state_->script.front();
    state_->script.erase(state_->script.begin());
    return reply;
  }

  void cancel() override {
    const std::lock_guard lock{state_->mutex};
    state_->is_cancelled = true;
    state_->changed.notify_all();
  }

private:
  std::shared_ptr<StoreState> state_;
};

struct Pushed {
  explicit Pushed(LogPush::Settings settings = quick()) {
    push = std::make_unique<LogPush>(std::move(settings), std::make_unique<ScriptedStore>(store),
                                     [this](LogLevel, const std::string& line) { told.push_back(line); });
  }

  static LogPush::Settings quick() {
    return {.node = "n1",
            .labels = {{"node", "n1"}},
            .batch_time = std::chrono::milliseconds(1),
            .first_wait = std::chrono::milliseconds(1),
            .longest_wait = std::chrono::milliseconds(4)};
  }

  // All lines that the store was given, in order.
  std::vector<std::string> lines() const {
    std::vector<std::string> all;
    for (const auto& body : store->bodies)
      for (const auto& stream : body.at("streams"))
        for (const auto& value : stream.at("values"))
          all.push_back(value.at(1));
    return all;
  }

  std::shared_ptr<StoreState> store = std::make_shared<StoreState>();
  std::vector<std::string> told;  // of the thread `push`; read when it has ended
  std::unique_ptr<LogPush> push;
};

}  // namespace

TEST_CASE("lines become streams by session and type, in their order") {
  const std::vector<std::shared_ptr<const LineBatch>> batches{
      batch("shop/a", {hop(1, R"({"a":"1"})"), {.realtime_ns = 2, .type = "drop", .text = "d"}, hop(3, "b")}),
      batch("", {{.realtime_ns = 4, .type = "agent", .text = "x"}}), batch("shop/a", {hop(5, "c")})};
  const auto body = json::parse(loki_body({{"node", "n\"1"}}, batches));
  const auto expected = json::parse(R"({"streams":[
    {"stream":{"node":"n\"1","type":"agent"},"values":[["4","x"]]},
    {"stream":{"node":"n\"1","session":"shop/a","type":"drop"},"values":[["2","d"]]},
    {"stream":{"node":"n\"1","session":"shop/a","type":"hop"},"values":[["1","{\"a\":\"1\"}"],["3","b"],["5","c"]]}]})");
  CHECK(body == expected);
}

TEST_CASE("no lines are no body") {
  CHECK(loki_body({}, {}).empty());
  CHECK(loki_body({}, std::vector{batch("s", {})}).empty());
}

TEST_CASE("what was accepted is given to the store once and in order") {
  Pushed pushed;
  for (int at = 0; at < 100; ++at)
    pushed.push->accept(batch("shop/a", {hop(1, std::to_string(at))}));
  pushed.push.reset();
  const auto lines = pushed.lines();
  REQUIRE(lines.size() == 100);
  for (int at = 0; at < 100; ++at)
    CHECK(lines[static_cast<std::size_t>(at)] == std::to_string(at));
}

TEST_CASE("a store that wants it later gets the same again, and what came after behind it") {
  Pushed pushed;
  pushed.store->script = {{.why = "busy"}, {.why = "busy"}, {.answer = Answer::Taken}};
  pushed.push->accept(batch("shop/a", {hop(1, "first")}));
  pushed.store->wait_for_bodies(3);
  pushed.push->accept(batch("shop/a", {hop(2, "second")}));
  pushed.store->wait_for_bodies(4);
  CHECK(pushed.lines() == std::vector<std::string>{"first", "first", "first", "second"});
  pushed.push.reset();
  CHECK(pushed.told == std::vector<std::string>{"busy", "the log store takes lines again"});
}

TEST_CASE("what a store refuses is lost once, and what is behind it is not") {
  Pushed pushed;
  pushed.store->script = {{.answer = Answer::Refused, .why = "answers 400"}};
  pushed.push->accept(batch("shop/a", {hop(1, "bad"), hop(1, "worse")}));
  pushed.store->wait_for_bodies(1);
  pushed.push->accept(batch("shop/a", {hop(2, "good")}));
  pushed.store->wait_for_bodies(2);
  // The number follows the answer.
  for (int at = 0; at < 2000 && pushed.push->numbers().lines == 0; ++at)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  const auto numbers = pushed.push->numbers();
  CHECK(numbers.lines == 1);
  CHECK(numbers.lost_refused == 2);
  CHECK(numbers.refused == 1);
  CHECK(numbers.taken == 1);
  pushed.push.reset();
  REQUIRE_FALSE(pushed.told.empty());
  CHECK(pushed.told.front() == "answers 400; 2 lines lost");
}

TEST_CASE("a full queue loses the newest, and says so at their place") {
  auto settings = Pushed::quick();
  settings.queue_bytes = 100;
  Pushed pushed{std::move(settings)};
  pushed.store->is_stuck = true;
  pushed.push->accept(batch("shop/a", {hop(1, "in flight")}));
  pushed.store->wait_for_bodies(1);
  pushed.push->accept(batch("shop/a", {hop(2, std::string(90, 'q'))}));
  pushed.push->accept(batch("shop/a", {hop(3, std::string(90, 'l')), hop(3, "lost too")}));
  CHECK(pushed.push->numbers().lost_queue == 2);
  {
    const std::lock_guard lock{pushed.store->mutex};
    pushed.store->is_stuck = false;
    pushed.store->changed.notify_all();
  }
  pushed.store->wait_for_bodies(3);
  pushed.push->accept(batch("shop/a", {hop(4, "after")}));
  pushed.store->wait_for_bodies(4);
  pushed.push.reset();
  const auto lines = pushed.lines();
  REQUIRE(lines.size() == 4);
  CHECK(lines[1] == std::string(90, 'q'));
  const auto loss = json::parse(lines[2]);
  CHECK(loss.at("type") == "loss");
  CHECK(loss.at("cause") == "push");
  CHECK(loss.at("count") == 2);
  CHECK(loss.at("node") == "n1");
  CHECK(lines[3] == "after");
}

TEST_CASE("a store that hangs does not keep the agent from ending, and what it did not take is counted") {
  Pushed pushed;
  pushed.store->is_stuck = true;
  pushed.push->accept(batch("shop/a", {hop(1, "in flight")}));
  pushed.store->wait_for_bodies(1);
  pushed.push->accept(batch("shop/a", {hop(2, "behind")}));
  pushed.push.reset();
  CHECK(pushed.store->is_cancelled);
}
