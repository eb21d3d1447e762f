#pragma once
// LineBatch: events of one session as lines of JSON, made once for all who want them: the log, streams, a log store.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace skbtrail {

struct EventLine {
  std::uint64_t realtime_ns = 0;
  std::string_view type;  // "hop", "drop", "loss", "session", "agent"; lives for ever
  std::string text;       // without newline
};

struct LineBatch {
  std::string session;  // "namespace/name"; empty: of no session
  std::vector<EventLine> lines;
};

// As they are written, each with its newline.
inline std::size_t bytes_of(const LineBatch& batch) {
  std::size_t bytes = 0;
  for (const auto& line : batch.lines)
    bytes += line.text.size() + 1;
  return bytes;
}

class LineReceiver {
public:
  virtual ~LineReceiver() = default;
  // Any thread, several at once. Never waits: a slow receiver loses lines of its own, counted.
  virtual void accept(const std::shared_ptr<const LineBatch>& batch) = 0;
};

}  // namespace skbtrail
