#include "sink/backup_keeper.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <array>
#include <ctime>
#include <utility>

#include "base/clock.h"

namespace skbtrail {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kPermissions = 0777;

std::int64_t local_now_ms() {
  const auto now_ms = static_cast<std::int64_t>(realtime_ns() / 1'000'000);
  const std::time_t seconds = now_ms / 1000;
  std::tm local{};
  ::localtime_r(&seconds, &local);
  return now_ms + local.tm_gmtoff * 1000;
}

bool is_there(const fs::path& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0;
}

// Two rotations may fall into one millisecond.
fs::path free_backup(const fs::path& folder, std::string_view file) {
  constexpr int kMostTries = 1000;
  const std::int64_t now_ms = local_now_ms();
  fs::path path;
  for (int later = 0; later < kMostTries; ++later) {
    path = folder / backup_name(file, now_ms + later);
    if (!is_there(path) && !is_there(path.string() + ".gz"))
      break;
  }
  return path;
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at{folder, error}; !error && at != fs::directory_iterator{}; at.increment(error))
    names.push_back(at->path().filename().string());
  return names;
}

struct CloseGzip {
  void operator()(gzFile file) const { (void)::gzclose(file); }
};
using GzipFile = std::unique_ptr<gzFile_s, CloseGzip>;

// zlib keeps errno where a system call failed.
Error zip_error(std::string_view doing) {
  return fail(errno != 0 ? errno : EIO, doing);
}

Result<> copy_into(int source, gzFile target) {
  std::array<char, 64U << 10> bytes{};
  while (true) {
    const ssize_t count = ::read(source, bytes.data(), bytes.size());
    if (count == 0)
      return {};
    if (count < 0 && errno == EINTR)
      continue;
    errno = count < 0 ? errno : 0;
    if (count < 0 || ::gzwrite(target, bytes.data(), static_cast<unsigned>(count)) != count)
      return zip_error("write");
  }
}

Result<> zip(const fs::path& from, const fs::path& to) {
  const UniqueFd source{::open(from.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
  if (!source)
    return zip_error("open");
  struct stat status {};
  (void)::fstat(source.get(), &status);
  UniqueFd fd{::open(to.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR)};
  if (!fd)
    return zip_error("create");
  (void)::fchmod(fd.get(), status.st_mode & kPermissions);
  GzipFile target{::gzdopen(fd.get(), "wb")};
  if (!target)
    return zip_error("create");
  (void)fd.release();  // zlib closes it
  TRY(copy_into(source.get(), target.get()));
  errno = 0;
  if (::gzclose(target.release()) != Z_OK)
    return zip_error("write");
  return {};
}

}  // namespace

fs::path folder_of(const fs::path& path) {
  const auto folder = path.parent_path();
  return folder.empty() ? fs::path(".") : folder;
}

BackupKeeper::BackupKeeper(const fs::path& path, const BackupRules& rules)
    : folder_(folder_of(path)), file_(path.filename().string()), rules_(rules), worker_([this] { work(); }) {}

BackupKeeper::~BackupKeeper() {
  (void)finish();
}

Result<UniqueFd> BackupKeeper::next_file(int old_fd) {
  const auto path = folder_ / file_;
  struct stat status {};
  (void)::fstat(old_fd, &status);
  // Somebody may have moved it away, as logrotate does.
  if (::rename(path.c_str(), free_backup(folder_, file_).c_str()) != 0 && errno != ENOENT) {
    const int err = errno;
    return fail(err, "rename");
  }
  UniqueFd next{
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR)};
  if (const int err = errno; !next)
    return fail(err, "create");
  (void)::fchmod(next.get(), status.st_mode & kPermissions);
  const std::lock_guard lock{mutex_};
  wanted_ = true;
  wake_.notify_one();
  return next;
}

std::vector<std::string> BackupKeeper::finish() {
  {
    const std::lock_guard lock{mutex_};
    ending_ = true;
    wake_.notify_one();
  }
  if (worker_.joinable())
    worker_.join();
  auto remarks = std::exchange(remarks_, {});
  if (const auto further = std::exchange(further_remarks_, 0))
    remarks.push_back("and " + std::to_string(further) + " more backups could not be compressed or removed");
  return remarks;
}

void BackupKeeper::work() {
  std::unique_lock lock{mutex_};
  while (true) {
    wake_.wait(lock, [this] { return wanted_ || ending_; });
    if (!std::exchange(wanted_, false))
      return;
    lock.unlock();
    look_after_backups();
    lock.lock();
  }
}

void BackupKeeper::look_after_backups() {
  const auto plan = plan_backups(file_, names_in(folder_), rules_, local_now_ms());
  for (const auto& name : plan.remove)
    remove(name);
  for (const auto& name : plan.compress)
    if (!left_as_is_.contains(name))
      compress(name);
}

void BackupKeeper::remove(const std::string& name) {
  if (::unlink((folder_ / name).c_str()) == 0 || errno == ENOENT)
    return;
  const int err = errno;
  remark(fail(err, "remove old backup '" + (folder_ / name).string() + "'").message);
}

// Under another name until it is complete: whoever finds a .gz has all of it.
void BackupKeeper::compress(const std::string& name) {
  const auto path = folder_ / name;
  const fs::path partial = path.string() + ".gz.part";
  errno = 0;
  auto done = zip(path, partial);
  if (done && ::rename(partial.c_str(), (path.string() + ".gz").c_str()) != 0)
    done = zip_error("rename");
  if (done)
    return remove(name);
  (void)::unlink(partial.c_str());
  left_as_is_.insert(name);
  remark("compress '" + path.string() + "': " + std::strerror(done.error().code) + "; it stays as it is");
}

void BackupKeeper::remark(std::string text) {
  const std::lock_guard lock{mutex_};
  if (remarks_.size() < kMaxRemarks)
    remarks_.push_back(std::move(text));
  else
    ++further_remarks_;
}

}  // namespace skbtrail
