#include "session/event_feed.h"

#include <catch2/catch.hpp>
#include <string>

using namespace skbtrail;
using namespace std::chrono_literals;

namespace {

std::shared_ptr<const LineBatch> lines(int first, int count, std::size_t length = 0) {
  LineBatch batch{.session = "shop/a", .lines = {}};
  for (int number = first; number < first + count; ++number)
    batch.lines.push_back({.realtime_ns = 1, .type = "hop", .text = std::to_string(number) + std::string(length, 'x')});
  return std::make_shared<const LineBatch>(std::move(batch));
}

std::unique_ptr<EventStream> stream_of(const std::shared_ptr<EventFeed>& feed, std::size_t tail) {
  auto stream = feed->follow(tail);
  REQUIRE(stream);
  return std::move(*stream);
}

// What one after another gives until there is nothing for now.
std::vector<std::string> all_of(EventStream& stream) {
  std::vector<std::string> all;
  while (true) {
    auto next = stream.next(0ms);
    if (next.lines.empty())
      return all;
    all.insert(all.end(), next.lines.begin(), next.lines.end());
  }
}

}  // namespace

TEST_CASE("a stream begins with the last lines that were asked for, and goes on with new ones") {
  const auto feed = std::make_shared<EventFeed>("n1", "shop/a");
  feed->accept(lines(0, 10));
  const auto stream = stream_of(feed, 2);
  CHECK(stream->next(0ms).lines == std::vector<std::string>{"8", "9"});
  CHECK(stream->next(0ms).lines.empty());
  feed->accept(lines(10, 1));
  const auto next = stream->next(0ms);
  CHECK(next.lines == std::vector<std::string>{"10"});
  CHECK_FALSE(next.ended);
  feed->end();
  CHECK(stream->next(0ms).ended);
  CHECK(stream_of(feed, 1)->next(0ms).lines == std::vector<std::string>{"10"});
}

TEST_CASE("a slow reader loses its own lines, is told how many, and costs the others none") {
  const auto feed = std::make_shared<EventFeed>("n1", "shop/a");
  const auto slow = stream_of(feed, 0);
  const auto quick = stream_of(feed, 0);
  std::size_t seen = 0;
  for (int batch = 0; batch < 100; ++batch) {
    feed->accept(lines(batch * 100, 100));
    seen += quick->next(0ms).lines.size();
  }
  CHECK(seen == 10'000);
  const auto late = slow->next(0ms);
  REQUIRE(late.lines.size() == EventFeed::kMaxWaitingLines + 1);
  const std::string& told = late.lines.back();
  CHECK(told.find("\"type\":\"loss\"") != std::string::npos);
  CHECK(told.find("\"cause\":\"reader\",\"count\":" + std::to_string(10'000 - EventFeed::kMaxWaitingLines)) !=
        std::string::npos);
  CHECK(slow->next(0ms).lines.empty());
}

TEST_CASE("what a feed keeps is bounded in lines and in bytes") {
  const auto feed = std::make_shared<EventFeed>("n1", "shop/a");
  feed->accept(lines(0, 5000));
  CHECK(stream_of(feed, 100'000)->next(0ms).lines.size() == EventFeed::kMaxLines);
  feed->accept(lines(0, 200, 10'000));
  CHECK(all_of(*stream_of(feed, 100'000)).size() == EventFeed::kMaxBytes / 10'003);
}

TEST_CASE("of a session that has ended little is kept, also of what comes after the end") {
  const auto feed = std::make_shared<EventFeed>("n1", "shop/a");
  const auto reader = stream_of(feed, 0);
  feed->accept(lines(100, 100, 997));
  feed->end();
  CHECK(all_of(*stream_of(feed, 1000)).size() == EventFeed::kMaxEndedBytes / 1000);
  CHECK(all_of(*stream_of(feed, 1000)).back().starts_with("199x"));
  feed->accept(lines(200, 100, 997));
  CHECK(all_of(*stream_of(feed, 1000)).size() == EventFeed::kMaxEndedBytes / 1000);
  CHECK(all_of(*stream_of(feed, 1000)).back().starts_with("299x"));
  // Who was there before has all of it.
  CHECK(all_of(*reader).size() == 200);
}

TEST_CASE("a long backlog comes in parts, and the end with the last one") {
  const auto feed = std::make_shared<EventFeed>("n1", "shop/a");
  const auto stream = stream_of(feed, 0);
  feed->accept(lines(100, 600, 997));
  feed->end();
  std::size_t seen = 0;
  bool ended = false;
  for (int part = 0; part < 3; ++part) {
    CHECK_FALSE(ended);
    const auto next = stream->next(0ms);
    CHECK(next.lines.size() * 1000 <= EventFeed::kMaxNextBytes);
    seen += next.lines.size();
    ended = next.ended;
  }
  CHECK(seen == 600);
  CHECK(ended);
}

TEST_CASE("one line that is longer than a part comes alone") {
  const auto feed = std::make_shared<EventFeed>("n1", "shop/a");
  const auto stream = stream_of(feed, 0);
  feed->accept(lines(1, 2, EventFeed::kMaxNextBytes));
  CHECK(stream->next(0ms).lines.size() == 1);
  CHECK(stream->next(0ms).lines.size() == 1);
}

TEST_CASE("a loss is told where its lines would have stood, behind all that waited") {
  const auto feed = std::make_shared<EventFeed>("n1", "shop/a");
  const auto stream = stream_of(feed, 0);
  feed->accept(lines(10'000, 5000, 995));  // 1,000 bytes each, of which 4 MiB may wait
  const auto first = stream->next(0ms);
  CHECK(first.lines.back().find("loss") == std::string::npos);
  // There is room again, but what came before these is not told yet.
  feed->accept(lines(20'000, 10, 995));
  feed->end();
  auto rest = all_of(*stream);
  const std::size_t kept = EventFeed::kMaxWaitingBytes / 1000;
  REQUIRE(first.lines.size() + rest.size() == kept + 1);
  CHECK(rest.back().find("\"cause\":\"reader\",\"count\":" + std::to_string(5010 - kept)) != std::string::npos);
  CHECK(rest[rest.size() - 2].starts_with(std::to_string(10'000 + kept - 1)));
  CHECK(stream->next(0ms).ended);
}

TEST_CASE("a session has so many readers at most, and one that left makes room") {
  const auto feed = std::make_shared<EventFeed>("n1", "shop/a");
  std::vector<std::unique_ptr<EventStream>> streams;
  for (std::size_t at = 0; at < EventFeed::kMaxStreams; ++at)
    streams.push_back(stream_of(feed, 0));
  const auto refused = feed->follow(0);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == EAGAIN);
  streams.pop_back();
  CHECK(feed->follow(0));
}
