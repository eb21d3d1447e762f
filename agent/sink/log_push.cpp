#include "sink/log_push.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "sink/text_buffer.h"

namespace skbtrail {
namespace {

std::uint64_t lines_of(std::span<const std::shared_ptr<const LineBatch>> batches) {
  std::uint64_t lines = 0;
  for (const auto& batch : batches)
    lines += batch->lines.size();
  return lines;
}

}  // namespace

LogPush::LogPush(Settings settings, std::unique_ptr<LogStore> store, Teller tell)
    : settings_(std::move(settings)),
      store_(std::move(store)),
      tell_(std::move(tell)),
      chance_(std::random_device{}()),
      json_({.node = settings_.node, .session = {}}),
      thread_([this](const std::stop_token& stop) {
        ::pthread_setname_np(::pthread_self(), "push");
        push_until_stopped(stop);
      }) {}

LogPush::~LogPush() {
  constexpr std::chrono::milliseconds kLook{100};
  thread_.request_stop();
  std::unique_lock lock{mutex_};
  if (ended_.wait_for(lock, kFarewell, [this] { return has_ended_; }))
    return;
  cancelled_ = true;
  // Again and again: a request may just be about to begin.
  while (!has_ended_) {
    lock.unlock();
    store_->cancel();
    lock.lock();
    ended_.wait_for(lock, kLook, [this] { return has_ended_; });
  }
}

void LogPush::accept(const std::shared_ptr<const LineBatch>& batch) {
  const std::size_t bytes = bytes_of(*batch);
  {
    const std::lock_guard lock{mutex_};
    if (queued_bytes_ + bytes > settings_.queue_bytes) {
      numbers_.lost_queue += batch->lines.size();
      return;
    }
    // What found no room stood between the queue and this batch.
    tell_loss();
    enqueue(batch);
  }
  more_.notify_one();
}

void LogPush::enqueue(std::shared_ptr<const LineBatch> batch) {
  if (queue_.empty())
    first_came_ = Clock::now();
  queued_bytes_ += bytes_of(*batch);
  queue_.push_back(std::move(batch));
}

void LogPush::tell_loss() {
  const std::uint64_t lines = numbers_.lost_queue - std::exchange(lost_told_, numbers_.lost_queue);
  if (lines == 0)
    return;
  const std::uint64_t now = realtime_ns();
  TextBuffer text;
  json_.put_loss(text, now, "push", lines);
  auto batch = std::make_shared<LineBatch>();
  batch->lines.push_back({.realtime_ns = now, .type = "loss", .text = std::string(text.view())});
  enqueue(std::move(batch));
}

PushNumbers LogPush::numbers() const {
  const std::lock_guard lock{mutex_};
  return numbers_;
}

void LogPush::push_until_stopped(const std::stop_token& stop) {
  while (true) {
    const Batches batches = next_batches(stop);
    if (batches.empty())
      break;
    deliver(batches, stop);
  }
  const std::lock_guard lock{mutex_};
  has_ended_ = true;
  ended_.notify_all();
}

// Waits until a request is worth its while: enough bytes, or the first line has waited long enough. Empty: asked to
// stop, and nothing is left.
LogPush::Batches LogPush::next_batches(const std::stop_token& stop) {
  std::unique_lock lock{mutex_};
  more_.wait(lock, stop, [this] { return !queue_.empty() || lost_told_ != numbers_.lost_queue; });
  if (queue_.empty())
    tell_loss();
  more_.wait_until(lock, stop, first_came_ + settings_.batch_time,
                   [this] { return queued_bytes_ >= settings_.batch_bytes; });
  Batches batches;
  for (std::size_t bytes = 0; !queue_.empty() && bytes < settings_.batch_bytes; queue_.pop_front()) {
    const std::size_t more = bytes_of(*queue_.front());
    bytes += more;
    queued_bytes_ -= more;
    batches.push_back(std::move(queue_.front()));
  }
  first_came_ = Clock::now();
  return batches;
}

// The same request until the store takes or refuses it: what is behind it waits, so that order is kept.
void LogPush::deliver(const Batches& batches, const std::stop_token& stop) {
  const std::string body = loki_body(settings_.labels, batches);
  const std::uint64_t lines = lines_of(batches);
  for (auto step = settings_.first_wait; !cancelled_;) {
    const auto reply = store_->push(body);
    std::unique_lock lock{mutex_};
    if (reply.answer == LogStore::Answer::Taken) {
      ++numbers_.taken;
      numbers_.lines += lines;
      lock.unlock();
      return note_success();
    }
    if (reply.answer == LogStore::Answer::Refused) {
      ++numbers_.refused;
      numbers_.lost_refused += lines;
      lock.unlock();
      return note_failure(reply.why + "; " + std::to_string(lines) + " lines lost");
    }
    ++numbers_.later;
    lock.unlock();
    note_failure(reply.why);
    wait(pause_after(reply, step), stop);
  }
  lose_rest(batches);
}

// A stop ends the pause; the tries after it are close together, since little time is left.
void LogPush::wait(std::chrono::milliseconds time, const std::stop_token& stop) {
  constexpr std::chrono::milliseconds kHurry{100};
  if (stop.stop_requested())
    return std::this_thread::sleep_for(std::min(time, kHurry));
  std::unique_lock lock{mutex_};
  (void)more_.wait_for(lock, stop, time, [] { return false; });
}

std::chrono::milliseconds LogPush::pause_after(const LogStore::Reply& reply, std::chrono::milliseconds& step) {
  const auto base = std::exchange(step, std::min(step * 2, settings_.longest_wait));
  std::uniform_int_distribution<std::int64_t> half{0, base.count() / 2};
  const std::chrono::milliseconds pause{base.count() / 2 + half(chance_)};
  return std::max(pause, std::chrono::milliseconds(std::min(reply.wait, kLongestAsked)));
}

void LogPush::lose_rest(const Batches& batches) {
  const std::lock_guard lock{mutex_};
  numbers_.lost_stop += lines_of(batches);
  for (const auto& batch : queue_)
    numbers_.lost_stop += batch->lines.size();
  queue_.clear();
  queued_bytes_ = 0;
}

void LogPush::note_failure(const std::string& why) {
  const auto now = Clock::now();
  if (failing_ && now - told_at_ < kTellEvery)
    return;
  failing_ = true;
  told_at_ = now;
  tell_(LogLevel::Warning, why);
}

void LogPush::note_success() {
  if (std::exchange(failing_, false))
    tell_(LogLevel::Info, "the log store takes lines again");
}

}  // namespace skbtrail
