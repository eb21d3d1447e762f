#include "kernel/kprobe_worker.h"

#include <fcntl.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <optional>
#include <span>
#include <sstream>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace skbtrail {
namespace {

constexpr std::string_view kGroupPrefix = "skbtrail_";
// Functions of one event: large enough that its fixed cost vanishes, small enough that an end is noticed soon.
constexpr std::size_t kProbesPerEvent = 64;

std::string hex(std::uint64_t value) {
  std::array<char, 24> text{};
  std::snprintf(text.data(), text.size(), "0x%llx", static_cast<unsigned long long>(value));
  return text.data();
}

// One line into kprobe_events; the kernel's verdict is errno of the write.
Result<> write_line(const std::string& path, const std::string& line) {
  const UniqueFd file{::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC)};
  if (const int err = errno; !file)
    return fail(err, "open '" + path + "'");
  if (::write(file.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
    const int err = errno;
    return fail(err, "write '" + line.substr(0, line.size() - 1) + "' to '" + path + "'");
  }
  return {};
}

// One trace event over several functions, armed by one perf event that runs a BPF program.
class ProbeEvent final {
public:
  ProbeEvent(std::string tracefs, std::string group, std::string name)
      : tracefs_(std::move(tracefs)), group_(std::move(group)), name_(std::move(name)) {}
  ProbeEvent(ProbeEvent&& other) noexcept
      : tracefs_(std::move(other.tracefs_)),
        group_(std::move(other.group_)),
        name_(std::move(other.name_)),
        defined_(std::exchange(other.defined_, 0)),
        perf_(std::move(other.perf_)) {}
  ProbeEvent(const ProbeEvent&) = delete;
  ProbeEvent& operator=(const ProbeEvent&) = delete;
  ProbeEvent& operator=(ProbeEvent&&) = delete;
  ~ProbeEvent() {
    perf_.reset();
    if (defined_ > 0)
      (void)write_line(events_file(), "-:" + group_ + "/" + name_ + "\n");
  }

  // `kind` is p for the entry of a function, r for its return; `place` is SYMBOL+OFFSET.
  Result<> define(char kind, const std::string& place) {
    TRY(write_line(events_file(), std::string(1, kind) + ":" + group_ + "/" + name_ + " " + place + "\n"));
    ++defined_;
    return {};
  }

  std::size_t defined() const { return defined_; }
  // Stops hits without removing the definitions.
  void disarm() { perf_.reset(); }

  Result<> arm(int program) {
    perf_event_attr attr{};
    attr.type = PERF_TYPE_TRACEPOINT;
    attr.size = sizeof(attr);
    attr.config = TRY(id());
    attr.sample_period = 1;
    attr.wakeup_events = 1;
    const long fd = syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
    if (const int err = errno; fd < 0)
      return fail(err, "open perf event '" + group_ + "/" + name_ + "'");
    perf_ = UniqueFd{static_cast<int>(fd)};
    if (::ioctl(perf_.get(), PERF_EVENT_IOC_SET_BPF, program)) {
      const int err = errno;
      return fail(err, "attach program to '" + group_ + "/" + name_ + "'");
    }
    (void)::ioctl(perf_.get(), PERF_EVENT_IOC_ENABLE, 0);
    return {};
  }

private:
  std::string events_file() const { return tracefs_ + "/kprobe_events"; }

  Result<std::uint64_t> id() const {
    std::ifstream file(tracefs_ + "/events/" + group_ + "/" + name_ + "/id");
    std::uint64_t value = 0;
    if (!(file >> value))
      return refuse(ENOENT, "read id of trace event '" + group_ + "/" + name_ + "'");
    return value;
  }

  std::string tracefs_;
  std::string group_;
  std::string name_;
  std::size_t defined_ = 0;
  UniqueFd perf_;
};

constexpr char kReturns = 'R';

struct Probe {
  char tier = 'F';
  std::uint64_t address = 0;
};

class Worker final {
public:
  explicit Worker(std::string tracefs)
      : tracefs_(std::move(tracefs)), group_(std::string(kGroupPrefix) + std::to_string(::getpid())) {}

  int run() {
    say("P " + std::to_string(::getpid()));
    remove_left_over();
    std::string line;
    std::vector<Probe> batch;
    while (read_line(line)) {
      if (line == ".") {
        attach(batch);
        batch.clear();
        say(".");
      } else if (line.starts_with("B ")) {
        set_base(line);
      } else if (line.starts_with("T ")) {
        tiers_ = line.substr(2);
      } else if (const auto probe = parse(line)) {
        batch.push_back(*probe);
      }
    }
    remove_all();
    return 0;
  }

private:
  std::optional<Probe> parse(std::string_view line) const {
    if (line.size() < 3 || tiers_.find(line[0]) == std::string::npos)
      return std::nullopt;
    Probe probe{.tier = line[0]};
    const auto [end, err] = std::from_chars(line.data() + 2, line.data() + line.size(), probe.address, 16);
    if (err != std::errc{} || end != line.data() + line.size())
      return std::nullopt;
    return probe;
  }

  void set_base(const std::string& line) {
    std::istringstream words(line.substr(2));
    words >> base_symbol_ >> std::hex >> base_address_;
  }

  // False when the trace ended. Buffered by hand, since ended() must see what the socket really holds.
  bool read_line(std::string& line) {
    for (;;) {
      if (const auto end = input_.find('\n'); end != std::string::npos) {
        line = input_.substr(0, end);
        input_.erase(0, end + 1);
        return true;
      }
      std::array<char, 4096> chunk;
      const ssize_t got = receive(chunk);
      if (got <= 0)
        return false;
      input_.append(chunk.data(), static_cast<std::size_t>(got));
    }
  }

  // Also takes the links that come with the text.
  ssize_t receive(std::span<char> text) {
    alignas(cmsghdr) std::array<char, CMSG_SPACE(kMostWorkerLinks * sizeof(int))> control{};
    iovec part{.iov_base = text.data(), .iov_len = text.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t got = ::recvmsg(kWorkerSocketFd, &message, MSG_CMSG_CLOEXEC);
    if (got <= 0)
      return got;
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
      if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
        continue;
      std::vector<int> fds((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
      std::memcpy(fds.data(), CMSG_DATA(header), fds.size() * sizeof(int));
      for (const int fd : fds)
        links_.emplace_back(fd);
    }
    return got;
  }

  void say(const std::string& line) {
    const std::string text = line + "\n";
    (void)::send(kWorkerSocketFd, text.data(), text.size(), MSG_NOSIGNAL);
  }

  // The trace ended while we were attaching: no need to attach the rest first.
  bool ended() const {
    pollfd socket{.fd = kWorkerSocketFd, .events = POLLRDHUP, .revents = 0};
    return ::poll(&socket, 1, 0) > 0 && (socket.revents & (POLLRDHUP | POLLHUP | POLLERR));
  }

  void attach(std::span<const Probe> probes) {
    for (const char tier : tiers_) {
      std::vector<std::uint64_t> addresses;
      for (const auto& probe : probes)
        if (probe.tier == tier)
          addresses.push_back(probe.address);
      for (std::span<const std::uint64_t> rest(addresses); !rest.empty() && !ended();) {
        const auto some = rest.first(std::min(rest.size(), kProbesPerEvent));
        attach_event(tier, some);
        rest = rest.subspan(some.size());
      }
    }
  }

  int program_of(char tier) const { return kWorkerProgramsFd + static_cast<int>(tiers_.find(tier)); }

  void attach_event(char tier, std::span<const std::uint64_t> addresses) {
    ProbeEvent event{tracefs_, group_,
                     std::string(1, static_cast<char>(std::tolower(tier))) + std::to_string(next_event_++)};
    std::vector<std::uint64_t> defined;
    for (const auto address : addresses) {
      if (const auto done =
              event.define(tier == kReturns ? 'r' : 'p', base_symbol_ + "+" + hex(address - base_address_)))
        defined.push_back(address);
      else
        refuse_probe(address, done.error().code);
    }
    if (defined.empty())
      return;
    const auto armed = event.arm(program_of(tier));
    if (armed) {
      say("A " + std::to_string(defined.size()));
      events_.push_back(std::move(event));
    } else if (defined.size() == 1) {
      refuse_probe(defined[0], armed.error().code);
    } else {
      split(tier, std::move(event), defined);
    }
  }

  // One function that cannot be armed keeps its whole event from being armed: halves find it.
  void split(char tier, ProbeEvent event, std::span<const std::uint64_t> addresses) {
    { const ProbeEvent removed = std::move(event); }
    const std::size_t half = addresses.size() / 2;
    attach_event(tier, addresses.first(half));
    attach_event(tier, addresses.subspan(half));
  }

  void refuse_probe(std::uint64_t address, int code) {
    say("R " + hex(address).substr(2) + " " + std::to_string(code));
  }

  void remove_all() {
    for (auto& event : events_)
      event.disarm();
    links_.clear();
    events_.clear();
  }

  // Events of a worker that was itself killed: its perf events died with it, so the definitions are idle. Those of a
  // living one are armed and the kernel refuses to remove them.
  void remove_left_over() const {
    std::ifstream file(tracefs_ + "/kprobe_events");
    std::string line;
    std::vector<std::string> stale;
    while (std::getline(file, line)) {
      const auto start = line.find(kGroupPrefix);
      const auto end = line.find(' ');
      if (start == std::string::npos || end == std::string::npos || start > end)
        continue;
      const std::string event = line.substr(start, end - start);
      const int pid = std::atoi(event.c_str() + kGroupPrefix.size());
      if (pid > 0 && ::kill(pid, 0) && errno == ESRCH && (stale.empty() || stale.back() != event))
        stale.push_back(event);
    }
    for (const auto& event : stale)
      (void)write_line(tracefs_ + "/kprobe_events", "-:" + event + "\n");
  }

  std::string tracefs_;
  std::string group_;
  std::string tiers_;  // of our programs, in their order
  std::string base_symbol_;
  std::uint64_t base_address_ = 0;
  std::string input_;
  unsigned next_event_ = 0;
  std::vector<ProbeEvent> events_;
  std::vector<UniqueFd> links_;  // of the trace, to be closed when it is gone
};

}  // namespace

int run_kprobe_worker(const std::string& tracefs) {
  // A Ctrl-C for the trace must not end the one who cleans up after it.
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE})
    ::signal(number, SIG_IGN);
  // Started as /proc/self/exe it would be called "exe".
  ::prctl(PR_SET_NAME, "skbtrail");
  const pid_t child = ::fork();
  if (child != 0)
    return child > 0 ? 0 : 1;
  return Worker{tracefs}.run();
}

}  // namespace skbtrail
