#include "sink/output.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "base/clock.h"

namespace skbtrail {

namespace {

bool is_regular(int fd) {
  struct stat status {};
  return ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

std::uint64_t size_of(int fd) {
  struct stat status {};
  return ::fstat(fd, &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
}

constexpr std::string_view kRotationCure =
    ": rotating needs to rename and create files in its folder; choose another one, or no rotation with "
    "--output-file-max-size 0";

// Early, since the first rotation may be hours away.
Result<> check_folder(const std::filesystem::path& path) {
  const auto folder = folder_of(path);
  if (::access(folder.c_str(), W_OK | X_OK) == 0)
    return {};
  const int err = errno;
  auto error = fail(err, "rotate '" + path.string() + "'");
  error.message += kRotationCure;
  return error;
}

std::string_view cure(int err) {
  switch (err) {
    case ENOSPC:
    case EDQUOT: return ": free some space there, or write to another file";
    case EBADF: return ": it is closed or open for reading only";
    case EPIPE: return ": its reader has gone";
    case ETIMEDOUT: return ": its reader does not read, or too slowly";
    case EFBIG: return ": the limit on file sizes is reached (ulimit -f)";
    default: return "";
  }
}

}  // namespace

Result<std::unique_ptr<Output>> Output::open(const std::filesystem::path& path, const FileRotation& rotation) {
  UniqueFd fd{::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, S_IRUSR | S_IWUSR)};
  if (const int err = errno; !fd)
    return fail(err, "open '" + path.string() + "' for writing");
  const int number = fd.get();
  std::unique_ptr<Output> output(new Output(std::move(fd), number, path.string()));
  if (rotation.max_bytes == 0 || output->may_block_)
    return output;
  // Behind a link it is the file that is rotated, not the link.
  std::error_code error;
  auto real = std::filesystem::canonical(path, error);
  if (error)
    return fail(error.value(), "rotate '" + path.string() + "'");
  TRY(check_folder(real));
  output->rotate_with(rotation, real);
  return output;
}

std::unique_ptr<Output> Output::borrow(int fd, std::string name) {
  return std::unique_ptr<Output>(new Output(UniqueFd{}, fd, std::move(name)));
}

Output::Output(UniqueFd owned, int fd, std::string name)
    : owned_(std::move(owned)), fd_(fd), name_(std::move(name)), may_block_(!is_regular(fd)) {}

void Output::rotate_with(const FileRotation& rotation, const std::filesystem::path& path) {
  backups_ = std::make_unique<BackupKeeper>(path, rotation.backups);
  max_bytes_ = rotation.max_bytes;
  file_bytes_ = size_of(fd_);
  count_room();
}

std::vector<std::string> Output::finish_backups() {
  return backups_ ? backups_->finish() : std::vector<std::string>{};
}

// A head that takes up a file leaves as much room again: otherwise every event would repeat it.
void Output::count_room() {
  if (!backups_)
    return;
  const std::uint64_t limit = std::max(max_bytes_, 2 * head_bytes_);
  room_ = limit > file_bytes_ ? limit - file_bytes_ : 0;
}

// What stands before the last piece still goes into this file, the piece into the next one.
void Output::start_next_file() {
  if (error_ || file_bytes_ + piece_start_ <= head_bytes_)
    return;
  const std::string piece{text_.view().substr(piece_start_)};
  text_.truncate(piece_start_);
  write_out();
  if (!error_)
    switch_files();
  text_.put(piece);
}

void Output::switch_files() {
  auto next = backups_->next_file(fd_);
  if (!next)
    return fail_with("rotate '" + name_ + "'", next.error().code, kRotationCure);
  owned_ = std::move(*next);
  fd_ = owned_.get();
  if (put_head_)
    put_head_();
  file_bytes_ = 0;
  head_bytes_ = text_.size();
  count_room();
}

Result<> Output::flush() {
  write_out();
  if (error_)
    return *error_;
  return {};
}

void Output::write_out() {
  const std::size_t written = error_ ? 0 : write_all();
  const auto first_missing = std::upper_bound(event_ends_.begin(), event_ends_.end(), written);
  events_written_ += static_cast<std::uint64_t>(first_missing - event_ends_.begin());
  if (error_ && error_->message.empty())
    fail_with("write '" + name_ + "'", error_->code, cure(error_->code));
  file_bytes_ += written;
  count_room();
  text_.clear();
  event_ends_.clear();
  piece_start_ = 0;
}

// Bytes that went out; error_ has a code when that is not all of them.
std::size_t Output::write_all() {
  std::string_view rest = text_.view();
  while (!rest.empty()) {
    if (may_block_ && !wait_until_writable()) {
      error_ = Error{.code = ETIMEDOUT, .message = {}};
      break;
    }
    // A pipe that polls writable takes PIPE_BUF bytes without blocking, and not surely more.
    const std::size_t chunk = may_block_ ? std::min<std::size_t>(rest.size(), PIPE_BUF) : rest.size();
    const ssize_t count = ::write(fd_, rest.data(), chunk);
    if (count >= 0) {
      rest.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno != EINTR && errno != EAGAIN) {
      error_ = Error{.code = errno, .message = {}};
      break;
    }
  }
  return text_.size() - rest.size();
}

// False when the trace is stopping and our patience is used up. Errors are left for write() to name.
bool Output::wait_until_writable() {
  constexpr int kSliceMilliseconds = 100;
  const std::uint64_t since_ns = monotonic_ns();
  while (!stop_ || !patience_.is_over(*stop_, since_ns, monotonic_ns())) {
    pollfd wanted{.fd = fd_, .events = POLLOUT, .revents = 0};
    const int ready = ::poll(&wanted, 1, kSliceMilliseconds);
    if (ready > 0 || (ready < 0 && errno != EINTR))
      return true;
  }
  return false;
}

void Output::fail_with(std::string_view doing, int err, std::string_view cure) {
  error_ = fail(err, doing);
  error_->message += "; events after " + std::to_string(events_written_) + " were not written";
  error_->message += cure;
}

}  // namespace skbtrail
