#pragma once
// JsonEvent: one JSON object for an event, described by docs/event.schema.json. What is unknown is null.

#include <cstdint>
#include <string>
#include <string_view>

#include "model/packet_event.h"
#include "sink/notation.h"
#include "sink/text_buffer.h"

namespace skbtrail {

struct JsonOptions {
  std::string node;     // empty: null
  std::string session;  // "namespace/name"; empty: null, a trace of its own
};

// Used by one thread. Appends without a newline.
class JsonEvent final {
public:
  explicit JsonEvent(const JsonOptions& options);

  void put(TextBuffer& out, const PacketEvent& event);
  void put(TextBuffer& out, const LossEvent& loss);
  // A gap that is not the kernel's: a reader that was too slow.
  void put_loss(TextBuffer& out, std::uint64_t realtime_ns, std::string_view cause, std::uint64_t count);
  // Time, type, node and session of any other line; the caller appends fields and the closing brace.
  void put_start(TextBuffer& out, std::uint64_t realtime_ns, std::string_view type);

private:
  void put_time(TextBuffer& out, std::uint64_t realtime_ns);

  std::string origin_;  // ,"node":…,"session":…
  DateText date_;
};

}  // namespace skbtrail
