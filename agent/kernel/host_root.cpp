#include "kernel/host_root.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <span>
#include <system_error>
#include <utility>

#include "base/unique_fd.h"

namespace skbtrail {
namespace {

// Files of /proc and /sys have no size to ask for.
constexpr std::size_t kPiece = 64 << 10;

Result<UniqueFd> open_to_read(const std::string& name) {
  UniqueFd file{::open(name.c_str(), O_RDONLY | O_CLOEXEC)};
  if (const int err = errno; !file)
    return fail(err, "open '" + name + "'");
  return file;
}

// As far as the file system says: a guess, that of /sys/kernel/btf is right.
std::size_t size_of(const std::string& name) {
  struct stat found = {};
  return ::stat(name.c_str(), &found) ? 0 : static_cast<std::size_t>(found.st_size);
}

// How many bytes; none at the end.
Result<std::size_t> read_piece(int file, std::span<char> buffer, const std::string& name) {
  for (;;) {
    const ssize_t got = ::read(file, buffer.data(), buffer.size());
    const int err = errno;
    if (got >= 0)
      return static_cast<std::size_t>(got);
    if (err != EINTR)
      return fail(err, "read '" + name + "'");
  }
}

}  // namespace

HostRoot::HostRoot(std::filesystem::path root) : root_(std::move(root)) {}

std::string HostRoot::path(std::string_view absolute) const {
  return (root_ / std::filesystem::path(absolute).relative_path()).string();
}

bool HostRoot::exists(std::string_view absolute) const {
  return ::access(path(absolute).c_str(), F_OK) == 0;
}

Result<std::string> HostRoot::read(std::string_view absolute) const {
  std::string content;
  content.reserve(size_of(path(absolute)));
  TRY(read_pieces(absolute, [&](std::string_view piece) -> Result<> {
    content += piece;
    return {};
  }));
  return content;
}

Result<std::string> HostRoot::read_start(std::string_view absolute) const {
  const std::string name = path(absolute);
  const auto file = TRY(open_to_read(name));
  std::array<char, kPiece> buffer;
  const auto got = TRY(read_piece(file.get(), buffer, name));
  return std::string(buffer.data(), got);
}

Result<> HostRoot::read_pieces(std::string_view absolute, const std::function<Result<>(std::string_view)>& take) const {
  const std::string name = path(absolute);
  const auto file = TRY(open_to_read(name));
  std::array<char, kPiece> buffer;
  while (const auto got = TRY(read_piece(file.get(), buffer, name)))
    TRY(take({buffer.data(), got}));
  return {};
}

Result<std::vector<std::string>> HostRoot::list(std::string_view directory) const {
  const std::string name = path(directory);
  std::error_code error;
  std::vector<std::string> names;
  for (std::filesystem::directory_iterator entry{name, error}, end; !error && entry != end; entry.increment(error))
    names.push_back(entry->path().filename().string());
  if (error)
    return fail(error.value(), "list '" + name + "'");
  std::ranges::sort(names);
  return names;
}

}  // namespace skbtrail
