#include "session/event_feed.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "sink/json_event.h"

namespace skbtrail {

// Leaves the feed when its reader lets go of it.
class FeedStream final : public EventStream {
public:
  FeedStream(std::shared_ptr<EventFeed> feed, std::shared_ptr<EventFeed::Reader> reader)
      : feed_(std::move(feed)), reader_(std::move(reader)) {}
  ~FeedStream() override { feed_->leave(reader_); }
  FeedStream(const FeedStream&) = delete;
  FeedStream& operator=(const FeedStream&) = delete;

  Next next(std::chrono::milliseconds wait) override { return feed_->take(*reader_, wait); }

private:
  std::shared_ptr<EventFeed> feed_;
  std::shared_ptr<EventFeed::Reader> reader_;
};

void EventFeed::accept(const std::shared_ptr<const LineBatch>& batch) {
  {
    const std::lock_guard lock{mutex_};
    for (const auto& line : batch->lines) {
      keep(line.text);
      for (const auto& reader : readers_)
        hand(*reader, line.text);
    }
  }
  more_.notify_all();
}

void EventFeed::end() {
  {
    const std::lock_guard lock{mutex_};
    ended_ = true;
    trim();
    for (const auto& reader : readers_)
      reader->ended = true;
  }
  more_.notify_all();
}

Result<std::unique_ptr<EventStream>> EventFeed::follow(std::size_t tail) {
  const std::lock_guard lock{mutex_};
  if (readers_.size() >= kMaxStreams)
    return refuse(EAGAIN, "session '" + session_ + "' has " + std::to_string(kMaxStreams) +
                              " readers already, which is the most: end one of them");
  auto reader = std::make_shared<Reader>();
  const std::size_t from = last_.size() - std::min(tail, last_.size());
  for (std::size_t at = from; at < last_.size(); ++at)
    hand(*reader, last_[at]);
  reader->ended = ended_;
  readers_.push_back(reader);
  return std::unique_ptr<EventStream>{std::make_unique<FeedStream>(shared_from_this(), reader)};
}

void EventFeed::keep(const std::string& line) {
  last_.push_back(line);
  last_bytes_ += line.size();
  trim();
}

void EventFeed::trim() {
  while (last_.size() > kMaxLines || last_bytes_ > (ended_ ? kMaxEndedBytes : kMaxBytes)) {
    last_bytes_ -= last_.front().size();
    last_.pop_front();
  }
}

void EventFeed::hand(Reader& reader, const std::string& line) {
  // Once one is lost, so are those after it until that is told: the gap is one, and stands where its line does.
  if (reader.lost > 0 || reader.lines.size() >= kMaxWaitingLines || reader.bytes + line.size() > kMaxWaitingBytes) {
    ++reader.lost;
    return;
  }
  reader.lines.push_back(line);
  reader.bytes += line.size();
}

// As many as one call may have.
std::vector<std::string> EventFeed::pop_lines(Reader& reader) {
  std::vector<std::string> lines;
  std::size_t bytes = 0;
  while (!reader.lines.empty()) {
    const std::size_t length = reader.lines.front().size();
    if (!lines.empty() && bytes + length > kMaxNextBytes)
      break;
    lines.push_back(std::move(reader.lines.front()));
    reader.lines.pop_front();
    bytes += length;
  }
  reader.bytes -= bytes;
  return lines;
}

EventStream::Next EventFeed::take(Reader& reader, std::chrono::milliseconds wait) {
  std::unique_lock lock{mutex_};
  more_.wait_for(lock, wait, [&] { return !reader.lines.empty() || reader.lost > 0 || reader.ended; });
  EventStream::Next next{.lines = pop_lines(reader)};
  if (!reader.lines.empty())
    return next;
  next.ended = reader.ended;
  if (const std::uint64_t lost = std::exchange(reader.lost, 0); lost > 0) {
    TextBuffer told;
    JsonEvent{{.node = node_, .session = session_}}.put_loss(told, realtime_ns(), "reader", lost);
    next.lines.emplace_back(told.view());
  }
  return next;
}

void EventFeed::leave(const std::shared_ptr<Reader>& reader) {
  const std::lock_guard lock{mutex_};
  std::erase(readers_, reader);
}

}  // namespace skbtrail
