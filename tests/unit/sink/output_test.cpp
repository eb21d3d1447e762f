#include "sink/output.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>
#include <fstream>
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
