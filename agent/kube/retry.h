#pragma once
// Retry: one thing that the API server refuses again and again: when to ask for it next, and whether the refusal is
// news. Others are not kept waiting by it.

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "kube/backoff.h"

namespace skbtrail {

// Whether the API server could not be asked: then nothing else can be asked either.
inline bool is_of_connection(const Error& error) {
  return error.code == ECONNREFUSED || error.code == ETIMEDOUT || error.code == ECONNRESET || error.code == ECANCELED;
}

// Whether more tries would say the same.
inline bool is_hopeless(const Error& error) {
  return error.code == ENOENT || error.code == EBUSY || error.code == EINVAL;
}

// How long who has nothing to do waits for a change before looking all the same.
inline constexpr std::chrono::milliseconds kAtRest{30'000};

class Retry final {
public:
  using Clock = std::chrono::steady_clock;

  struct Waits {
    Backoff::Duration least{500};
    Backoff::Duration most{30'000};
    std::uint64_t seed = 0;
  };

  Clock::time_point not_before() const { return not_before_; }
  bool is_early(Clock::time_point now) const { return now < not_before_; }

  // Whether `error` is another one than before: to be logged.
  bool failed(const Error& error, Clock::time_point now, const Waits& waits) {
    if (!backoff_)
      backoff_ = std::make_unique<Backoff>(waits.least, waits.most, waits.seed);
    not_before_ = now + backoff_->next();
    const bool is_news = error.message != told_;
    told_ = error.message;
    return is_news;
  }
  void worked() { *this = {}; }

private:
  std::unique_ptr<Backoff> backoff_;  // null: nothing has failed
  Clock::time_point not_before_{};
  std::string told_;
};

}  // namespace skbtrail
