#include "sink/line_log.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/clock.h"

namespace skbtrail {
LineLog::LineLog(int fd, const std::string& node)
    : fd_(fd), json_({.node = node, .session = {}}), thread_([this](const std::stop_token& stop) {
        ::pthread_setname_np(::pthread_self(), "log");
        write_until_stopped(stop);
      }) {}

LineLog::~LineLog() {
  thread_.request_stop();
}

void LineLog::accept(const std::shared_ptr<const LineBatch>& batch) {
  const std::size_t bytes = bytes_of(*batch);
  {
    const std::lock_guard lock{mutex_};
    if (queued_ + bytes > kMaxQueued) {
      lost_ += batch->lines.size();
      return;
    }
    queued_ += bytes;
    queue_.push_back(batch);
  }
  more_.notify_one();
}

std::uint64_t LineLog::lost() const {
  const std::lock_guard lock{mutex_};
  return lost_;
}

// One batch as text, behind what was lost before it; empty: nothing waits.
std::string LineLog::take_pending() {
  std::shared_ptr<const LineBatch> batch;
  std::uint64_t newly_lost = 0;
  {
    const std::lock_guard lock{mutex_};
    newly_lost = lost_ - std::exchange(lost_told_, lost_);
    if (!queue_.empty()) {
      batch = std::move(queue_.front());
      queue_.pop_front();
      queued_ -= bytes_of(*batch);
    }
  }
  std::string text;
  if (batch)
    for (const auto& line : batch->lines)
      text.append(line.text).push_back('\n');
  if (newly_lost > 0) {
    TextBuffer told;
    json_.put_loss(told, realtime_ns(), "log", newly_lost);
    text.append(told.view()).push_back('\n');
  }
  return text;
}

void LineLog::write_until_stopped(const std::stop_token& stop) {
  while (true) {
    {
      std::unique_lock lock{mutex_};
      more_.wait(lock, stop, [this] { return !queue_.empty() || lost_ != lost_told_; });
      if (queue_.empty() && lost_ == lost_told_)
        return;  // asked to stop, and nothing is left
    }
    const std::string text = take_pending();
    if (!write_all(text, stop))
      return;
  }
}

// False: nobody reads any more.
bool LineLog::write_all(std::string_view text, const std::stop_token& stop) {
  constexpr int kLookMilliseconds = 100;
  std::uint64_t waited_ms = 0;
  while (!text.empty()) {
    pollfd writable{.fd = fd_, .events = POLLOUT, .revents = 0};
    const int ready = ::poll(&writable, 1, kLookMilliseconds);
    if (ready == 0) {
      waited_ms = stop.stop_requested() ? waited_ms + kLookMilliseconds : 0;
      if (std::chrono::milliseconds(waited_ms) >= kPatience)
        return false;
      continue;
    }
    // A pipe that is writable takes PIPE_BUF bytes without blocking.
    const ssize_t wrote = ::write(fd_, text.data(), std::min<std::size_t>(text.size(), 4096));
    if (wrote < 0 && errno != EINTR && errno != EAGAIN)
      return false;
    if (wrote > 0)
      text.remove_prefix(static_cast<std::size_t>(wrote));
  }
  return true;
}

}  // namespace skbtrail
