#pragma once
// EventFeed: a session's lines for those who follow it: keeps the last ones and copies the new ones to every stream.

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/result.h"
#include "session/session_control.h"
#include "sink/line_batch.h"

namespace skbtrail {

// Any thread. Streams may outlive the feed's owner: they share it.
class EventFeed final : public LineReceiver, public std::enable_shared_from_this<EventFeed> {
public:
  static constexpr std::size_t kMaxStreams = 16;
  // Kept for `tail`, and waiting for a reader: whichever bound is met first.
  static constexpr std::size_t kMaxLines = SessionControl::kMaxTail;
  static constexpr std::size_t kMaxBytes = 1U << 20;
  // Kept from the end on: sessions that have ended are many, and remembered for long.
  static constexpr std::size_t kMaxEndedBytes = 32U << 10;
  static constexpr std::size_t kMaxWaitingLines = 8192;
  static constexpr std::size_t kMaxWaitingBytes = 4U << 20;
  // Of one EventStream::next(), unless its first line is longer. The line that tells a loss comes on top.
  static constexpr std::size_t kMaxNextBytes = 256U << 10;

  // `node` and `session` are for lines about a reader's losses.
  EventFeed(std::string node, std::string session) : node_(std::move(node)), session_(std::move(session)) {}

  void accept(const std::shared_ptr<const LineBatch>& batch) override;
  // No more will come: streams end when they have been read. What is kept shrinks to kMaxEndedBytes.
  void end();

  // EAGAIN: there are kMaxStreams.
  Result<std::unique_ptr<EventStream>> follow(std::size_t tail);

private:
  friend class FeedStream;

  struct Reader {
    std::deque<std::string> lines;
    std::size_t bytes = 0;
    std::uint64_t lost = 0;  // after `lines`, and not told yet
    bool ended = false;
  };

  void keep(const std::string& line);
  void trim();
  static void hand(Reader& reader, const std::string& line);
  static std::vector<std::string> pop_lines(Reader& reader);
  EventStream::Next take(Reader& reader, std::chrono::milliseconds wait);
  void leave(const std::shared_ptr<Reader>& reader);

  std::string node_;
  std::string session_;
  std::mutex mutex_;
  std::condition_variable more_;
  std::deque<std::string> last_;
  std::size_t last_bytes_ = 0;
  bool ended_ = false;
  std::vector<std::shared_ptr<Reader>> readers_;
};

}  // namespace skbtrail
