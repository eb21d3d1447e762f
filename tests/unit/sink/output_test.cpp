#include "sink/output.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <zlib.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <map>
#include <thread>

#include "base/clock.h"

using namespace skbtrail;

namespace {

struct Pipe {
  Pipe() {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    reader = UniqueFd{ends[0]};
    writer = UniqueFd{ends[1]};
    std::signal(SIGPIPE, SIG_IGN);
  }
  UniqueFd reader;
  UniqueFd writer;
};

struct TemporaryDirectory {
  TemporaryDirectory() {
    char name[] = "/tmp/skbtrail-output-XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    path = name;
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path); }
  std::filesystem::path path;
};

void put_event(Output& output, std::string_view text) {
  output.text().put(text);
  output.end_event();
}

std::string content_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("a file that cannot be opened is named") {
  const auto output = Output::open("/nowhere/trace.json");
  REQUIRE_FALSE(output);
  CHECK(output.error().message == "open '/nowhere/trace.json' for writing: No such file or directory");
}

TEST_CASE("a full disk is reported with the file, the last event written and a cure, again and again") {
  auto output = Output::open("/dev/full");
  REQUIRE(output);
  put_event(**output, "one\n");
  for (int round = 0; round < 2; ++round) {
    const auto done = (*output)->flush();
    REQUIRE_FALSE(done);
    CHECK(done.error().code == ENOSPC);
    CHECK(done.error().message ==
          "write '/dev/full': No space left on device; events after 0 were not written: free some space there, or "
          "write to another file");
    put_event(**output, "more\n");
  }
}

TEST_CASE("a reader that has gone is reported with how far it got") {
  Pipe pipe;
  const auto output = Output::borrow(pipe.writer.get(), "stdout");
  put_event(*output, "one\n");
  put_event(*output, "two\n");
  REQUIRE(output->flush());
  pipe.reader.reset();
  put_event(*output, "three\n");
  const auto done = output->flush();
  REQUIRE_FALSE(done);
  CHECK(done.error().code == EPIPE);
  CHECK(done.error().message == "write 'stdout': Broken pipe; events after 2 were not written: its reader has gone");
}

TEST_CASE("an event that was written in part does not count as written") {
  Pipe pipe;
  const int capacity = ::fcntl(pipe.writer.get(), F_SETPIPE_SZ, 4096);
  REQUIRE(capacity == 4096);
  Stop stop;
  stop.request();
  const auto output = Output::borrow(pipe.writer.get(), "stdout");
  output->stop_waiting_when(stop);
  put_event(*output, std::string(3000, 'a'));
  put_event(*output, std::string(3000, 'b'));
  put_event(*output, std::string(3000, 'c'));
  const auto done = output->flush();
  REQUIRE_FALSE(done);
  CHECK(
      done.error().message ==
      "write 'stdout': Connection timed out; events after 1 were not written: its reader does not read, or too slowly");
  CHECK(output->events_written() == 1);
}

TEST_CASE("a reader that does not read is left alone when the time of the trace is over, not before") {
  Pipe pipe;
  Stop stop;
  const auto output = Output::borrow(pipe.writer.get(), "stdout");
  output->stop_waiting_when(stop);
  const std::uint64_t began_ns = monotonic_ns();
  constexpr std::uint64_t kDuration = 300'000'000;
  stop.end_at(began_ns + kDuration);
  put_event(*output, std::string(1 << 20, 'x'));
  REQUIRE_FALSE(output->flush());
  const std::uint64_t took_ns = monotonic_ns() - began_ns;
  CHECK(took_ns >= kDuration + std::chrono::nanoseconds(Patience::kWithoutProgress).count());
  CHECK(took_ns < kDuration + std::chrono::nanoseconds(Patience::kInAll).count());
}

TEST_CASE("a slow reader gets everything") {
  Pipe pipe;
  const auto output = Output::borrow(pipe.writer.get(), "stdout");
  std::string received;
  std::thread reader([&] {
    char bytes[1000];
    for (ssize_t count; (count = ::read(pipe.reader.get(), bytes, sizeof(bytes))) > 0;)
      received.append(bytes, static_cast<std::size_t>(count));
  });
  std::string expected;
  for (int event = 0; event < 50'000; ++event) {
    const std::string line = "event " + std::to_string(event) + "\n";
    put_event(*output, line);
    expected += line;
  }
  CHECK(output->flush());
  pipe.writer.reset();
  reader.join();
  CHECK(received == expected);
  CHECK(output->events_written() == 50'000);
}

TEST_CASE("a pipe that does not block by itself loses nothing either") {
  Pipe pipe;
  REQUIRE(::fcntl(pipe.writer.get(), F_SETFL, O_NONBLOCK) == 0);
  const auto output = Output::borrow(pipe.writer.get(), "stdout");
  std::size_t received = 0;
  std::thread reader([&] {
    char bytes[4096];
    for (ssize_t count; (count = ::read(pipe.reader.get(), bytes, sizeof(bytes))) > 0;)
      received += static_cast<std::size_t>(count);
  });
  put_event(*output, std::string(1 << 20, 'x'));
  CHECK(output->flush());
  pipe.writer.reset();
  reader.join();
  CHECK(received == 1 << 20);
}

TEST_CASE("a file is created for its owner only and grows from run to run") {
  TemporaryDirectory directory;
  const auto path = directory.path / "trace.json";
  for (const char* text : {"one\n", "two\n"}) {
    auto output = Output::open(path);
    REQUIRE(output);
    put_event(**output, text);
    REQUIRE((*output)->flush());
  }
  CHECK(content_of(path) == "one\ntwo\n");
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
}

TEST_CASE("a full buffer goes out without a flush") {
  TemporaryDirectory directory;
  auto output = Output::open(directory.path / "trace");
  REQUIRE(output);
  put_event(**output, std::string(Output::kBufferBytes, 'x'));
  CHECK(std::filesystem::file_size(directory.path / "trace") == Output::kBufferBytes);
}

namespace {

FileRotation rotation_at(std::uint64_t bytes, const BackupRules& rules = {}) {
  return {.max_bytes = bytes, .backups = rules};
}

// {file: content}, compressed ones as they are.
std::map<std::string, std::string> files_in(const std::filesystem::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    files[entry.path().filename().string()] = content_of(entry.path());
  return files;
}

std::string unzipped(const std::filesystem::path& path) {
  gzFile file = ::gzopen(path.c_str(), "rb");
  REQUIRE(file);
  char bytes[4096];
  const int count = ::gzread(file, bytes, sizeof(bytes));
  ::gzclose(file);
  REQUIRE(count >= 0);
  return {bytes, static_cast<std::size_t>(count)};
}

}  // namespace

TEST_CASE("a file in a folder where nothing can be created is refused at once, unless it is not rotated") {
  if (::geteuid() == 0) {
    WARN("root may write everywhere: tried on /proc");
    const auto output = Output::open("/proc/self/comm", rotation_at(10));
    REQUIRE_FALSE(output);
    CHECK(output.error().message.find("rotate '/proc/") == 0);
    CHECK(output.error().message.find("--output-file-max-size 0") != std::string::npos);
    return;
  }
  TemporaryDirectory directory;
  const auto path = directory.path / "trace";
  REQUIRE(Output::open(path));
  REQUIRE(::chmod(directory.path.c_str(), 0500) == 0);
  CHECK(Output::open(path));
  CHECK_FALSE(Output::open(path, rotation_at(10)));
  REQUIRE(::chmod(directory.path.c_str(), 0700) == 0);
}

TEST_CASE("a folder that goes away while tracing ends it with the file, the last event written and a cure") {
  TemporaryDirectory directory;
  const auto folder = directory.path / "gone";
  std::filesystem::create_directory(folder);
  auto output = Output::open(folder / "trace", rotation_at(4));
  REQUIRE(output);
  put_event(**output, "one\n");
  REQUIRE((*output)->flush());
  std::filesystem::remove_all(folder);
  put_event(**output, "two\n");
  const auto done = (*output)->flush();
  REQUIRE_FALSE(done);
  CHECK(done.error().message.find("rotate '") == 0);
  CHECK(done.error().message.find("events after 1 were not written") != std::string::npos);
  CHECK(done.error().message.find("--output-file-max-size 0") != std::string::npos);
}

TEST_CASE("a full file becomes a backup, every file begins with the head, and no piece is parted or lost") {
  TemporaryDirectory directory;
  auto output = Output::open(directory.path / "trace.txt", rotation_at(20));
  REQUIRE(output);
  (*output)->text().put("head\n");
  (*output)->end_line();
  (*output)->begin_files_with([&] { (*output)->text().put("head\n"); });
  std::string expected;
  for (int event = 10; event < 60; ++event) {
    const std::string line = "event " + std::to_string(event) + "\n";
    put_event(**output, line);
    expected += line;
    if (event % 7 == 0)
      REQUIRE((*output)->flush());
  }
  REQUIRE((*output)->flush());
  CHECK((*output)->events_written() == 50);
  std::string seen;
  const auto files = files_in(directory.path);
  CHECK(files.size() == 50);
  for (const auto& [name, content] : files) {
    CHECK(content.size() <= 20);
    CHECK(content.substr(0, 5) == "head\n");
    seen += content.substr(5);
  }
  CHECK(seen == expected);  // by name, and the newest, without a time in it, is the last
}

TEST_CASE("a piece that is larger than a file has one of its own") {
  TemporaryDirectory directory;
  auto output = Output::open(directory.path / "trace", rotation_at(10));
  REQUIRE(output);
  const std::string large(100, 'x');
  for (const auto& piece : {std::string("a\n"), large, std::string("b\n"), large})
    put_event(**output, piece);
  REQUIRE((*output)->flush());
  CHECK((*output)->events_written() == 4);
  const auto files = files_in(directory.path);
  CHECK(files.size() == 4);
  CHECK(files.at("trace") == large);
}

TEST_CASE("what a file had before counts, and a file behind a link is rotated instead of the link") {
  TemporaryDirectory directory;
  std::filesystem::create_directory(directory.path / "real");
  std::ofstream(directory.path / "real/trace") << "older text\n";
  REQUIRE(::chmod((directory.path / "real/trace").c_str(), 0640) == 0);
  std::filesystem::create_symlink("real/trace", directory.path / "link");
  auto output = Output::open(directory.path / "link", rotation_at(12));
  REQUIRE(output);
  put_event(**output, "new\n");
  REQUIRE((*output)->flush());
  CHECK(std::filesystem::is_symlink(directory.path / "link"));
  const auto files = files_in(directory.path / "real");
  REQUIRE(files.size() == 2);
  CHECK(files.at("trace") == "new\n");
  struct stat status {};
  REQUIRE(::stat((directory.path / "real/trace").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0640);
}

TEST_CASE("a device is not rotated") {
  auto output = Output::open("/dev/null", rotation_at(1));
  REQUIRE(output);
  put_event(**output, "one\n");
  put_event(**output, "two\n");
  CHECK((*output)->flush());
  CHECK((*output)->finish_backups().empty());
}

TEST_CASE("only so many backups are kept, compressed and readable by their owner only") {
  TemporaryDirectory directory;
  auto output = Output::open(directory.path / "trace.json", rotation_at(4, {.max_count = 2, .compress = true}));
  REQUIRE(output);
  for (const char* text : {"one\n", "two\n", "3..\n", "4..\n", "5..\n"})
    put_event(**output, text);
  REQUIRE((*output)->flush());
  CHECK((*output)->finish_backups().empty());
  auto files = files_in(directory.path);
  REQUIRE(files.size() == 3);
  CHECK(files.at("trace.json") == "5..\n");
  files.erase("trace.json");
  std::string seen;
  for (const auto& [name, content] : files) {
    CHECK(name.substr(name.size() - 8) == ".json.gz");
    seen += unzipped(directory.path / name);
    struct stat status {};
    REQUIRE(::stat((directory.path / name).c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
  }
  CHECK(seen == "3..\n4..\n");
}

TEST_CASE("a backup that cannot be compressed stays as it is, and that is told once") {
  TemporaryDirectory directory;
  auto output = Output::open(directory.path / "trace", rotation_at(4, {.compress = true}));
  REQUIRE(output);
  put_event(**output, "one\n");
  REQUIRE((*output)->flush());
  const rlimit none{.rlim_cur = 6, .rlim_max = RLIM_INFINITY};
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  std::signal(SIGXFSZ, SIG_IGN);
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &none) == 0);
  put_event(**output, "two\n");
  auto flushed = (*output)->flush();
  put_event(**output, "six\n");
  if (flushed)
    flushed = (*output)->flush();
  const auto remarks = (*output)->finish_backups();
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
  CHECK(flushed);
  REQUIRE(remarks.size() == 2);
  CHECK(remarks[0] != remarks[1]);
  for (const auto& remark : remarks) {
    CHECK(remark.find("compress '") == 0);
    CHECK(remark.find("; it stays as it is") != std::string::npos);
  }
  const auto files = files_in(directory.path);
  CHECK(files.size() == 3);
  for (const auto& [name, content] : files)
    CHECK((content == "one\n" || content == "two\n" || content == "six\n"));
}
