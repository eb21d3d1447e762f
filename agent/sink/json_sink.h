#pragma once
// JsonSink: one JSON object per line.

#include "sink/json_event.h"
#include "sink/output.h"
#include "sink/sink.h"

namespace skbtrail {

class JsonSink final : public Sink {
public:
  // `output` must outlive the sink.
  JsonSink(Output& output, const JsonOptions& options) : output_(output), json_(options) {}

  void accept(const PacketEvent& event) override {
    json_.put(output_.text(), event);
    output_.text().put('\n');
    output_.end_event();
  }
  void accept(const LossEvent& loss) override {
    json_.put(output_.text(), loss);
    output_.text().put('\n');
    output_.end_line();
  }
  Result<> flush() override { return output_.flush(); }

private:
  Output& output_;
  JsonEvent json_;
};

}  // namespace skbtrail
