#pragma once
// Ending: the signals that end a command which stays on, as something to wait for.

#include <signal.h>

#include <algorithm>
#include <chrono>
#include <ctime>

namespace skbtrail {

// Made before any thread, so that no thread is interrupted by these signals.
class Ending final {
public:
  Ending() {
    ::signal(SIGPIPE, SIG_IGN);
    sigemptyset(&signals_);
    for (const int number : {SIGINT, SIGTERM, SIGHUP})
      sigaddset(&signals_, number);
    ::pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  }

  // Which one came, 0: none within so long.
  int next_within(std::chrono::milliseconds patience) const {
    const timespec bound{.tv_sec = patience.count() / 1000, .tv_nsec = patience.count() % 1000 * 1'000'000};
    return std::max(::sigtimedwait(&signals_, nullptr, &bound), 0);
  }

  // Whether one came; waits for one so long at most.
  bool comes_within(std::chrono::milliseconds patience) const { return next_within(patience) > 0; }

private:
  sigset_t signals_{};
};

}  // namespace skbtrail
