#pragma once
// LogPush: the lines of all sessions, in batches, to a log store over the network. A store that is slow or away costs
// lines beyond a bound, never a trace its time; what was lost is counted by cause, and told in the log at its place.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/log_level.h"
#include "sink/json_event.h"
#include "sink/line_batch.h"
#include "sink/loki_body.h"

namespace skbtrail {

// Where requests go.
class LogStore {
public:
  enum class Answer : std::uint8_t {
    Taken,
    Later,    // it, or the way to it, has no room now: the same again
    Refused,  // the same would be refused again
  };
  struct Reply {
    Answer answer = Answer::Later;
    std::chrono::seconds wait{0};  // that the store asks for, with Later; 0: it does not say
    std::string why = {};          // of anything but Taken: object and cause
  };

  virtual ~LogStore() = default;
  // Thread `push`. Waits for a bounded time.
  virtual Reply push(const std::string& body) = 0;
  // Ends a push() that waits; it and all later ones give Later. Any thread.
  virtual void cancel() = 0;
};

// All from the start. Lost by cause: `queue`, there was no room for the line; `refused`, the store did not want it;
// `stop`, the agent ended before the store took it.
struct PushNumbers {
  std::uint64_t lines = 0;  // that the store took
  // Requests, by answer.
  std::uint64_t taken = 0;
  std::uint64_t later = 0;
  std::uint64_t refused = 0;
  // Lines.
  std::uint64_t lost_queue = 0;
  std::uint64_t lost_refused = 0;
  std::uint64_t lost_stop = 0;
};

class LogPush final : public LineReceiver {
public:
  struct Settings {
    std::string node;
    LokiLabels labels = {};
    std::size_t queue_bytes = 8U << 20;
    std::size_t batch_bytes = 1U << 20;
    std::chrono::milliseconds batch_time{1000};
    // Between tries, doubled each time, and half of it by chance: agents of many nodes do not come back at once.
    std::chrono::milliseconds first_wait{500};
    std::chrono::milliseconds longest_wait{30'000};
  };
  // What people should know, one line; thread `push`, once a minute at most for failures.

  // So long the destructor waits for the store to take what is left.
  static constexpr std::chrono::seconds kFarewell{2};
  // A store may not make us wait longer.
  static constexpr std::chrono::seconds kLongestAsked{60};
  static constexpr std::chrono::minutes kTellEvery{1};

  LogPush(Settings settings, std::unique_ptr<LogStore> store, Teller tell);
  ~LogPush() override;
  LogPush(const LogPush&) = delete;
  LogPush& operator=(const LogPush&) = delete;

  void accept(const std::shared_ptr<const LineBatch>& batch) override;

  // Any thread.
  PushNumbers numbers() const;

private:
  using Clock = std::chrono::steady_clock;
  using Batches = std::vector<std::shared_ptr<const LineBatch>>;

  void push_until_stopped(const std::stop_token& stop);
  Batches next_batches(const std::stop_token& stop);
  void enqueue(std::shared_ptr<const LineBatch> batch);
  void tell_loss();
  void deliver(const Batches& batches, const std::stop_token& stop);
  void wait(std::chrono::milliseconds time, const std::stop_token& stop);
  std::chrono::milliseconds pause_after(const LogStore::Reply& reply, std::chrono::milliseconds& step);
  void note_failure(const std::string& why);
  void note_success();
  void lose_rest(const Batches& batches);

  Settings settings_;
  std::unique_ptr<LogStore> store_;
  Teller tell_;
  // Of the thread alone.
  std::minstd_rand chance_;
  bool failing_ = false;
  Clock::time_point told_at_{};
  mutable std::mutex mutex_;
  std::condition_variable_any more_;
  std::condition_variable_any ended_;
  // Under the mutex, as all that follow.
  JsonEvent json_;
  std::size_t queued_bytes_ = 0;
  std::deque<std::shared_ptr<const LineBatch>> queue_;
  Clock::time_point first_came_{};  // of those in the queue
  std::uint64_t lost_told_ = 0;
  bool has_ended_ = false;
  PushNumbers numbers_;
  std::atomic<bool> cancelled_ = false;
  std::jthread thread_;  // last: it uses all of the above
};

}  // namespace skbtrail
