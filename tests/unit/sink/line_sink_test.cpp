#include "sink/line_sink.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <string>

#include "base/unique_fd.h"
#include "sink/line_log.h"
#include "support/event_builder.h"

using namespace skbtrail;
using namespace skbtrail::test;

namespace {

class Kept final : public LineReceiver {
public:
  void accept(const std::shared_ptr<const LineBatch>& batch) override { batches.push_back(batch); }
  std::vector<std::shared_ptr<const LineBatch>> batches;
};

struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    reader = UniqueFd{ends[0]};
    writer = UniqueFd{ends[1]};
  }
  UniqueFd reader;
  UniqueFd writer;
};

std::shared_ptr<const LineBatch> lines(std::size_t count, std::size_t length) {
  LineBatch batch{.session = "shop/a", .lines = {}};
  for (std::size_t at = 0; at < count; ++at)
    batch.lines.push_back({.realtime_ns = 1, .type = "hop", .text = std::string(length, 'x')});
  return std::make_shared<const LineBatch>(std::move(batch));
}

std::string read_all(int fd) {
  std::string text;
  std::array<char, 65536> buffer{};
  for (ssize_t got = 0; (got = ::read(fd, buffer.data(), buffer.size())) > 0;)
    text.append(buffer.data(), static_cast<std::size_t>(got));
  return text;
}

}  // namespace

TEST_CASE("events go to all receivers as one batch of JSON, with node and session") {
  Kept first;
  Kept second;
  LineSink sink{{.node = "n1", .session = "shop/a"}, {&first, &second}};
  EventBuilder event;
  sink.accept(event);
  sink.accept(LossEvent{.realtime_ns = 7, .cause = LossCause::Budget, .count = 3});
  CHECK(first.batches.empty());
  REQUIRE(sink.flush());
  REQUIRE(first.batches.size() == 1);
  CHECK(first.batches == second.batches);
  REQUIRE(first.batches[0]->lines.size() == 2);
  CHECK(first.batches[0]->lines[0].type == "hop");
  const auto object = nlohmann::json::parse(first.batches[0]->lines[0].text);
  CHECK(object["node"] == "n1");
  CHECK(object["session"] == "shop/a");
  CHECK(object["func"] == "ip_rcv");
  CHECK(nlohmann::json::parse(first.batches[0]->lines[1].text)["cause"] == "budget");
  REQUIRE(sink.flush());
  CHECK(first.batches.size() == 1);
}

TEST_CASE("the log writes whole lines in their order, and all that wait at its end") {
  Pipe pipe;
  {
    LineLog log{pipe.writer.get(), "n1"};
    log.accept(lines(3, 10));
    log.accept(lines(2, 5));
  }
  pipe.writer = UniqueFd{};
  CHECK(read_all(pipe.reader.get()) == "xxxxxxxxxx\nxxxxxxxxxx\nxxxxxxxxxx\nxxxxx\nxxxxx\n");
}

TEST_CASE("a log that nobody reads loses lines, counts them, and holds nobody up") {
  Pipe pipe;
  {
    LineLog log{pipe.writer.get(), "n1"};
    const auto batch = lines(1000, 999);
    for (int times = 0; times < 40; ++times)
      log.accept(batch);
    // What the pipe took and one batch on its way are beside the queue.
    const std::size_t most = LineLog::kMaxQueued / 1000 + 2000;
    CHECK(log.lost() >= 40'000 - most);
    CHECK(log.lost() <= 40'000 - 16'000);
  }
}

TEST_CASE("a reader that comes back is told how many lines are missing") {
  Pipe pipe;
  std::string text;
  std::uint64_t lost = 0;
  std::thread reader;
  {
    LineLog log{pipe.writer.get(), "n1"};
    const auto batch = lines(1000, 999);
    for (int times = 0; times < 40; ++times)
      log.accept(batch);
    lost = log.lost();
    REQUIRE(lost > 0);
    reader = std::thread{[&] { text = read_all(pipe.reader.get()); }};
  }
  pipe.writer = UniqueFd{};
  reader.join();
  std::uint64_t told = 0;
  std::uint64_t written = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    const std::string line = text.substr(at, end - at);
    if (line.starts_with("{")) {
      const auto object = nlohmann::json::parse(line);
      CHECK(object["type"] == "loss");
      CHECK(object["cause"] == "log");
      told += object["count"].get<std::uint64_t>();
    } else {
      ++written;
    }
    at = end + 1;
  }
  CHECK(told == lost);
  CHECK(written == 40'000 - lost);
}
