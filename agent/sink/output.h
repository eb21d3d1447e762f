#pragma once
// Output: a buffered writer to one file descriptor. The first error sticks: later text is thrown away, and every
// flush() returns the error with the number of the last event that was written whole.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/stop.h"
#include "base/unique_fd.h"
#include "sink/backup_keeper.h"
#include "sink/patience.h"
#include "sink/text_buffer.h"

namespace skbtrail {

class Output final {
public:
  static constexpr std::size_t kBufferBytes = 256U << 10;

  // Appends to `path`, which is created for its owner only: a trace shows who talks to whom. A regular file is rotated
  // between two pieces, so that each file has whole ones; a piece that is larger than a file gets one of its own.
  static Result<std::unique_ptr<Output>> open(const std::filesystem::path& path, const FileRotation& rotation = {});
  // Writes to `fd`; stays the caller's and must outlive the output. `name` is for messages: "stdout".
  static std::unique_ptr<Output> borrow(int fd, std::string name);

  // A reader that does not read blocks the trace. Once `stop` is due, which must outlive the output, it is left alone
  // when our patience is over.
  void stop_waiting_when(const Stop& stop) { stop_ = &stop; }

  // `put_head` appends to text() what every file has to begin with; called for those after the first.
  void begin_files_with(std::function<void()> put_head) { put_head_ = std::move(put_head); }

  // Append here, then say what it was: an event (counted) or other text.
  TextBuffer& text() { return text_; }
  void end_event() {
    make_room();
    event_ends_.push_back(text_.size());
    end_piece();
  }
  void end_line() {
    make_room();
    end_piece();
  }

  Result<> flush();
  std::uint64_t events_written() const { return events_written_; }
  // Waits until backups are compressed and removed; what went wrong there, which loses no event.
  std::vector<std::string> finish_backups();

private:
  Output(UniqueFd owned, int fd, std::string name);

  void make_room() {
    if (text_.size() > room_) [[unlikely]]
      start_next_file();
  }
  void end_piece() {
    piece_start_ = text_.size();
    if (text_.size() >= kBufferBytes) [[unlikely]]
      write_out();
  }
  void rotate_with(const FileRotation& rotation, const std::filesystem::path& path);
  void start_next_file();
  void switch_files();
  void count_room();
  void write_out();
  std::size_t write_all();
  bool wait_until_writable();
  void fail_with(std::string_view doing, int err, std::string_view cure);

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

  std::unique_ptr<BackupKeeper> backups_;  // null: the file is not rotated
  std::function<void()> put_head_;
  std::uint64_t max_bytes_ = 0;   // of one file
  std::uint64_t file_bytes_ = 0;  // in this file
  std::uint64_t head_bytes_ = 0;  // of them, or soon, its head
  std::size_t piece_start_ = 0;   // of the last piece in text_, which has not ended
  std::size_t room_ = SIZE_MAX;   // how much text_ may hold before it needs another file
};

}  // namespace skbtrail
