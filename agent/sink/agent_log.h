#pragma once
// AgentLog: what the agent says of itself: as text for people on stderr, or as lines of type "agent" among those of its
// sessions. A message that comes again and again is told once in a period, with how often it was left out.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

#include "base/log_level.h"
#include "base/lru_map.h"
#include "sink/line_batch.h"

namespace skbtrail {

// Any thread, but for the constructor and the destructor.
class AgentLog final {
public:
  using Clock = std::chrono::steady_clock;

  // The same message is told once in so long.
  static constexpr std::chrono::seconds kPeriod{10};
  // So many messages are known again; of more, those that came last.
  static constexpr std::size_t kRemembered = 128;
  static constexpr std::size_t kMostBytes = 2048;  // of a message; the rest is cut

  struct Settings {
    std::string node = {};
    LogLevel level = LogLevel::Info;  // what matters less is not told
    LineReceiver* lines = nullptr;    // of JSON; outlives the log. Null: text
    int text_fd = 2;                  // where text goes
  };

  explicit AgentLog(Settings settings);
  // Tells what was left out of each message.
  ~AgentLog();
  AgentLog(const AgentLog&) = delete;
  AgentLog& operator=(const AgentLog&) = delete;

  void tell(LogLevel level, std::string_view message) { tell(level, message, Clock::now()); }
  void tell(LogLevel level, std::string_view message, Clock::time_point now);
  // Tells how often a message was left out, once its period is over; every second or so.
  void turn(Clock::time_point now);

  void set_level(LogLevel level);

  // For a part whose messages begin with `subject`, as in "REST: ". This outlives it.
  Teller teller(std::string subject = {});

private:
  struct Told {
    LogLevel level = LogLevel::Error;
    Clock::time_point at{};
    std::uint64_t left_out = 0;  // since
  };

  // With the lock held. `left_out`: how often it came beside this once since it was told.
  void write(LogLevel level, std::string_view message, std::uint64_t left_out) const;
  void write_text(std::string_view message, std::uint64_t left_out) const;
  void write_line(LogLevel level, std::string_view message, std::uint64_t left_out) const;
  void tell_left_out(std::string_view message, Told& told) const;

  Settings settings_;
  std::mutex mutex_;
  LruMap<std::string, Told> told_{kRemembered};
};

}  // namespace skbtrail
