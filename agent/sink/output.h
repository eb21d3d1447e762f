#pragma once
// Output: a buffered writer to one file descriptor. The first error sticks: later text is thrown away, and every
// flush() returns the error with the number of the last event that was written whole.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/stop.h"
#include "base/unique_fd.h"
#include "sink/patience.h"
#include "sink/text_buffer.h"

namespace skbtrail {

class Output final {
public:
  static constexpr std::size_t kBufferBytes = 256U << 10;

  // Appends to `path`, which is created for its owner only: a trace shows who talks to whom.
  static Result<std::unique_ptr<Output>> open(const std::filesystem::path& path);
  // Writes to `fd`; stays the caller's and must outlive the output. `name` is for messages: "stdout".
  static std::unique_ptr<Output> borrow(int fd, std::string name);

  // A reader that does not read blocks the trace. Once `stop` is due, which must outlive the output, it is left alone
  // when our patience is over.
  void stop_waiting_when(const Stop& stop) { stop_ = &stop; }

  // Append here, then say what it was: an event (counted) or other text.
  TextBuffer& text() { return text_; }
  void end_event() {
    event_ends_.push_back(text_.size());
    write_when_full();
  }
  void end_line() { write_when_full(); }

  Result<> flush();
  std::uint64_t events_written() const { return events_written_; }

private:
  Output(UniqueFd owned, int fd, std::string name);

  void write_when_full() {
    if (text_.size() >= kBufferBytes) [[unlikely]]
      write_out();
  }
  void write_out();
  std::size_t write_all();
  bool wait_until_writable();
  void fail_with(int err);

  UniqueFd owned_;
  int fd_;
  std::string name_;
  bool may_block_;  // a pipe, terminal or socket
  const Stop* stop_ = nullptr;
  Patience patience_;
  TextBuffer text_{kBufferBytes + (64U << 10)};
  std::vector<std::size_t> event_ends_;  // offsets in text_
  std::uint64_t events_written_ = 0;
  std::optional<Error> error_;
};

}  // namespace skbtrail
