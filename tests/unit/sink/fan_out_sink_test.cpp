#include "sink/fan_out_sink.h"

#include <catch2/catch.hpp>

#include "support/event_builder.h"

using namespace skbtrail;
using namespace skbtrail::test;

namespace {

struct Counts {
  int events = 0;
  int losses = 0;
  int flushes = 0;
  int ends = 0;
};

class CountingSink final : public Sink {
public:
  CountingSink(Counts& counts, int error) : counts_(counts), error_(error) {}
  void accept(const PacketEvent&) override { ++counts_.events; }
  void accept(const LossEvent&) override { ++counts_.losses; }
  Result<> flush() override { return done(counts_.flushes); }
  Result<> finish() override { return done(counts_.ends); }

private:
  Result<> done(int& count) {
    ++count;
    if (error_ != 0)
      return fail(error_, "write");
    return {};
  }
  Counts& counts_;
  int error_;
};

std::vector<std::unique_ptr<Sink>> two(Counts& first, int first_error, Counts& second, int second_error) {
  std::vector<std::unique_ptr<Sink>> sinks;
  sinks.push_back(std::make_unique<CountingSink>(first, first_error));
  sinks.push_back(std::make_unique<CountingSink>(second, second_error));
  return sinks;
}

}  // namespace

TEST_CASE("a sink that fails does not keep the others from their end") {
  Counts first, second;
  FanOutSink sink(two(first, ENOSPC, second, EPIPE));
  const auto done = sink.finish();
  REQUIRE_FALSE(done);
  CHECK(done.error().code == ENOSPC);
  CHECK(second.ends == 1);
  CHECK(sink.flush().error().code == ENOSPC);
  CHECK(second.flushes == 1);
}

TEST_CASE("every sink gets every event and every gap") {
  Counts first, second;
  FanOutSink sink(two(first, 0, second, 0));
  sink.accept(an_event());
  sink.accept(LossEvent{});
  CHECK(sink.flush());
  for (const Counts& counts : {first, second}) {
    CHECK(counts.events == 1);
    CHECK(counts.losses == 1);
    CHECK(counts.flushes == 1);
  }
}
