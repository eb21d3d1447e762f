#pragma once
// FanOutSink: hands every event to several sinks. One that fails does not stop the others.

#include <memory>
#include <utility>
#include <vector>

#include "sink/sink.h"

namespace skbtrail {

class FanOutSink final : public Sink {
public:
  explicit FanOutSink(std::vector<std::unique_ptr<Sink>> sinks) : sinks_(std::move(sinks)) {}

  void accept(const PacketEvent& event) override {
    for (const auto& sink : sinks_)
      sink->accept(event);
  }
  void accept(const LossEvent& loss) override {
    for (const auto& sink : sinks_)
      sink->accept(loss);
  }
  Result<> flush() override { return of_all(&Sink::flush); }
  Result<> finish() override { return of_all(&Sink::finish); }

private:
  // Does it for all sinks and returns the first error.
  Result<> of_all(Result<> (Sink::*step)()) {
    Result<> first;
    for (const auto& sink : sinks_) {
      auto done = ((*sink).*step)();
      if (first && !done)
        first = std::move(done);
    }
    return first;
  }

  std::vector<std::unique_ptr<Sink>> sinks_;
};

}  // namespace skbtrail
