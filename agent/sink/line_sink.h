#pragma once
// LineSink: turns a session's events into lines of JSON, once, and hands them as one batch to all who want them.

#include <memory>
#include <vector>

#include "sink/json_event.h"
#include "sink/line_batch.h"
#include "sink/sink.h"

namespace skbtrail {

// Used by the session's thread.
class LineSink final : public Sink {
public:
  // Lines that are gathered before they go out without a flush().
  static constexpr std::size_t kMostLines = 1024;

  // The receivers outlive the sink.
  LineSink(const JsonOptions& options, std::vector<LineReceiver*> receivers);

  void accept(const PacketEvent& event) override;
  void accept(const LossEvent& loss) override;
  Result<> flush() override;

private:
  void add(std::uint64_t realtime_ns, std::string_view type);

  JsonEvent json_;
  TextBuffer text_;
  std::string session_;
  std::vector<LineReceiver*> receivers_;
  std::vector<EventLine> lines_;
};

}  // namespace skbtrail
