#pragma once
// LineLog: the lines of all sessions, and of the agent itself, one after the other to one file descriptor (stdout,
// which a container's runtime reads). A reader that is too slow costs lines, never a trace its time: lost lines are
// told in the log itself, by a line of type "loss" with the cause "log".

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/result.h"
#include "sink/json_event.h"
#include "sink/line_batch.h"

namespace skbtrail {

class LineLog final : public LineReceiver {
public:
  // Bytes that may wait for the reader.
  static constexpr std::size_t kMaxQueued = 16U << 20;
  // So long the destructor waits for a reader that does not read.
  static constexpr std::chrono::seconds kPatience{1};

  // Writes to `fd`, which outlives this, from a thread `log`. `node` is its name in lines.
  LineLog(int fd, const std::string& node);
  ~LineLog() override;
  LineLog(const LineLog&) = delete;
  LineLog& operator=(const LineLog&) = delete;

  void accept(const std::shared_ptr<const LineBatch>& batch) override;

  // Lines that were thrown away, of all so far. Any thread.
  std::uint64_t lost() const;

private:
  void write_until_stopped(const std::stop_token& stop);
  bool write_all(std::string_view text, const std::stop_token& stop);
  std::string take_pending();

  int fd_;
  JsonEvent json_;  // of the thread alone
  mutable std::mutex mutex_;
  std::condition_variable_any more_;
  std::deque<std::shared_ptr<const LineBatch>> queue_;
  std::size_t queued_ = 0;  // bytes
  std::uint64_t lost_ = 0;
  std::uint64_t lost_told_ = 0;
  std::jthread thread_;  // last: it uses all of the above
};

}  // namespace skbtrail
