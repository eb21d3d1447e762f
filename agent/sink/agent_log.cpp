#include "sink/agent_log.h"

#include <unistd.h>

#include <cerrno>
#include <memory>
#include <utility>

#include "base/clock.h"
#include "base/shown_text.h"
#include "sink/json_event.h"
#include "sink/json_text.h"

namespace skbtrail {

AgentLog::AgentLog(Settings settings) : settings_(std::move(settings)) {}

AgentLog::~AgentLog() {
  told_.for_each([this](const std::string& message, Told& told) { tell_left_out(message, told); });
}

void AgentLog::tell(LogLevel level, std::string_view message, Clock::time_point now) {
  const std::string text{cut_text(message, kMostBytes)};
  const std::lock_guard lock{mutex_};
  if (level > settings_.level)
    return;
  auto [told, is_new] =
      told_.find_or_insert(text, [this](const std::string& old, Told& forgotten) { tell_left_out(old, forgotten); });
  if (!is_new && now - told.at < kPeriod) {
    ++told.left_out;
    return;
  }
  write(level, text, told.left_out);
  told = {.level = level, .at = now};
}

void AgentLog::turn(Clock::time_point now) {
  const std::lock_guard lock{mutex_};
  told_.for_each([&](const std::string& message, Told& told) {
    if (told.left_out == 0 || now - told.at < kPeriod)
      return;
    tell_left_out(message, told);
    told.at = now;
  });
}

void AgentLog::set_level(LogLevel level) {
  const std::lock_guard lock{mutex_};
  settings_.level = level;
}

Teller AgentLog::teller(std::string subject) {
  return [this, subject = std::move(subject)](LogLevel level, const std::string& message) {
    tell(level, subject + message);
  };
}

// The last of those that were left out is told now, in place of all.
void AgentLog::tell_left_out(std::string_view message, Told& told) const {
  if (told.left_out > 0)
    write(told.level, message, std::exchange(told.left_out, 0) - 1);
}

void AgentLog::write(LogLevel level, std::string_view message, std::uint64_t left_out) const {
  if (settings_.lines)
    write_line(level, message, left_out);
  else
    write_text(message, left_out);
}

void AgentLog::write_text(std::string_view message, std::uint64_t left_out) const {
  std::string text = "skbtrail agent: " + std::string(message);
  if (left_out > 0)
    text += left_out == 1 ? " (and once more)" : " (and " + std::to_string(left_out) + " times more)";
  text += '\n';
  // One write for each line: those of other programs on the same terminal stay apart. A reader that is gone is no
  // fault.
  std::string_view rest = text;
  while (!rest.empty()) {
    const ssize_t wrote = ::write(settings_.text_fd, rest.data(), rest.size());
    if (wrote < 0 && errno != EINTR)
      return;
    if (wrote > 0)
      rest.remove_prefix(static_cast<std::size_t>(wrote));
  }
}

void AgentLog::write_line(LogLevel level, std::string_view message, std::uint64_t left_out) const {
  const std::uint64_t now_ns = realtime_ns();
  TextBuffer text;
  JsonEvent{{.node = settings_.node, .session = {}}}.put_start(text, now_ns, "agent");
  text.put(",\"level\":");
  put_json_string(text, name_of(level));
  text.put(",\"message\":");
  put_json_string(text, message);
  if (left_out > 0) {
    text.put(",\"left_out\":");
    text.put_dec(left_out);
  }
  text.put('}');
  settings_.lines->accept(std::make_shared<const LineBatch>(
      LineBatch{.session = {}, .lines = {{.realtime_ns = now_ns, .type = "agent", .text = std::string(text.view())}}}));
}

}  // namespace skbtrail
