#include "sink/line_sink.h"

#include <utility>

namespace skbtrail {

LineSink::LineSink(const JsonOptions& options, std::vector<LineReceiver*> receivers)
    : json_(options), session_(options.session), receivers_(std::move(receivers)) {}

void LineSink::accept(const PacketEvent& event) {
  json_.put(text_, event);
  add(event.realtime_ns, event.drop ? "drop" : "hop");
}

void LineSink::accept(const LossEvent& loss) {
  json_.put(text_, loss);
  add(loss.realtime_ns, "loss");
}

void LineSink::add(std::uint64_t realtime_ns, std::string_view type) {
  lines_.push_back({.realtime_ns = realtime_ns, .type = type, .text = std::string(text_.view())});
  text_.clear();
  if (lines_.size() >= kMostLines)
    (void)flush();  // cannot fail: receivers count their own losses
}

Result<> LineSink::flush() {
  if (lines_.empty())
    return {};
  const auto batch =
      std::make_shared<const LineBatch>(LineBatch{.session = session_, .lines = std::exchange(lines_, {})});
  for (LineReceiver* receiver : receivers_)
    receiver->accept(batch);
  return {};
}

}  // namespace skbtrail
