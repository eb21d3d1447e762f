// The trace's side of single kprobes: starts the worker process, tells it what to attach and hears what became of it.
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <map>
#include <sstream>
#include <vector>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "kernel/attached_probes.h"
#include "kernel/kprobe_worker.h"

namespace skbtrail {
namespace {

// Spawned in a session of its own, so that the terminal's Ctrl-C does not reach it, and without our files: an
// inherited stdout would keep `skbtrail | head` waiting for as long as probes are being removed.
class SpawnActions final {
public:
  SpawnActions() {
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawnattr_init(&attributes);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
  }
  SpawnActions(const SpawnActions&) = delete;
  SpawnActions& operator=(const SpawnActions&) = delete;
  ~SpawnActions() {
    ::posix_spawn_file_actions_destroy(&files);
    ::posix_spawnattr_destroy(&attributes);
  }
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
};

// What the worker inherits, in the order of its numbers from kWorkerSocketFd on.
using WorkerFiles = std::vector<int>;

Result<> spawn_worker(const WorkerFiles& files, const std::string& tracefs) {
  SpawnActions actions;
  for (int fd = 0; fd <= 2; ++fd)
    ::posix_spawn_file_actions_addopen(&actions.files, fd, "/dev/null", O_RDWR, 0);
  // First out of the way of the numbers the worker expects.
  std::vector<UniqueFd> high;
  high.reserve(files.size());
  for (const int fd : files)
    high.emplace_back(::fcntl(fd, F_DUPFD_CLOEXEC, 16));
  int number = kWorkerSocketFd;
  for (const auto& fd : high)
    ::posix_spawn_file_actions_adddup2(&actions.files, fd.get(), number++);
  ::posix_spawn_file_actions_addclosefrom_np(&actions.files, number);
  std::string program = "skbtrail";
  std::string command = kWorkerCommand;
  std::string folder = tracefs;
  std::array<char*, 4> arguments{program.data(), command.data(), folder.data(), nullptr};
  pid_t pid = 0;
  if (const int err =
          ::posix_spawn(&pid, "/proc/self/exe", &actions.files, &actions.attributes, arguments.data(), environ))
    return fail(err, "start the kprobe worker");
  // It leaves the worker behind as a process of its own, so that nobody has to reap it.
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    return refuse(ECHILD, "start the kprobe worker: it ended with status " + std::to_string(status));
  return {};
}

constexpr int kWaitMilliseconds = 200;

char letter_of(Tier tier) {
  switch (tier) {
    case Tier::Entry: return 'E';
    case Tier::Follow: return 'F';
    case Tier::Beside: return 'N';
    case Tier::Map: return 'M';
    case Tier::MapReturn: return 'R';
  }
  std::abort();
}

class WorkerProbes final : public AttachedProbes {
public:
  WorkerProbes(UniqueFd socket, const AttachedProbes& links) : socket_(std::move(socket)), links_(links) {}
  ~WorkerProbes() override { (void)detach(); }

  // Names the plan's kprobe targets in its order, with a dot behind those on the path. `programs`: the tiers whose
  // programs the worker has, in this order.
  Result<> order(const ProbePlan& plan, const KprobeBase& base, const std::string& programs) {
    std::array<char, 128> start{};
    std::snprintf(start.data(), start.size(), "B %s %llx\n", base.symbol.c_str(),
                  static_cast<unsigned long long>(base.address));
    std::string text = "T " + programs + "\n" + start.data();
    bool on_path = true;
    for (const auto& target : plan.targets) {
      if (target.backend != Backend::Kprobe)
        continue;
      if (on_path && !target.on_path) {
        text += ".\n";
        on_path = false;
      }
      for (const auto address : target.addresses) {
        std::array<char, 32> line{};
        std::snprintf(line.data(), line.size(), "%c %llx\n", letter_of(target.tier),
                      static_cast<unsigned long long>(address));
        text += line.data();
        names_[address] = &target;
        ++progress_.wanted;
      }
    }
    text += ".\n";
    batches_ = on_path ? 1 : 2;
    progress_.complete = false;
    return send_all(text);
  }

  Result<> wait_for_path(const Stop& stop) {
    while (batches_done_ == 0 && !stop.is_due(monotonic_ns())) {
      pollfd waiting{.fd = socket_.get(), .events = POLLIN, .revents = 0};
      // Not for ever: a signal may come just before.
      if (::poll(&waiting, 1, kWaitMilliseconds) < 0 && errno != EINTR) {
        const int err = errno;
        return fail(err, "wait for the kprobe worker");
      }
      TRY(poll());
    }
    return {};
  }

  Result<> poll() override {
    std::array<char, 4096> chunk;
    while (socket_) {
      const ssize_t got = ::recv(socket_.get(), chunk.data(), chunk.size(), MSG_DONTWAIT);
      if (got < 0 && (errno == EAGAIN || errno == EINTR))
        break;
      if (got <= 0) {
        // Nobody is there to hand anything over to.
        socket_.reset();
        return refuse(EPIPE,
                      "the kprobe worker (process " + std::to_string(worker_) +
                          ") died and its probes with it: start the trace again, which also removes what it left");
      }
      input_.append(chunk.data(), static_cast<std::size_t>(got));
    }
    for (auto end = input_.find('\n'); end != std::string::npos; end = input_.find('\n')) {
      take(input_.substr(0, end));
      input_.erase(0, end + 1);
    }
    return {};
  }

  const AttachProgress& progress() const override { return progress_; }

  std::vector<BackgroundRemoval> detach() override {
    if (!socket_)
      return {};
    socket_.reset();
    return {{.pid = worker_, .probes = progress_.attached}};
  }

  // Beside kprobes that come and go, the kernel takes seconds to take off a link: the worker does that too. It keeps
  // the descriptors until our end of the socket closes, so that ours are not the last ones.
  void hand_over() override {
    const auto links = links_.links();
    if (!socket_ || links.empty() || links.size() > kMostWorkerLinks)
      return;
    const std::size_t bytes = links.size() * sizeof(int);
    alignas(cmsghdr) std::array<char, CMSG_SPACE(kMostWorkerLinks * sizeof(int))> control{};
    char newline = '\n';
    iovec text{.iov_base = &newline, .iov_len = 1};
    msghdr message{};
    message.msg_iov = &text;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(bytes);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(bytes);
    std::memcpy(CMSG_DATA(header), links.data(), bytes);
    // When it fails, the links are taken off here.
    (void)::sendmsg(socket_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  }

private:
  Result<> send_all(std::string_view text) {
    while (!text.empty()) {
      const ssize_t sent = ::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL);
      if (sent < 0) {
        const int err = errno;
        return fail(err, "tell the kprobe worker what to attach");
      }
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return {};
  }

  void take(const std::string& line) {
    std::istringstream words(line);
    char kind = 0;
    words >> kind;
    if (kind == 'P') {
      words >> worker_;
    } else if (kind == 'A') {
      std::size_t count = 0;
      words >> count;
      progress_.attached += count;
    } else if (kind == 'R') {
      std::uint64_t address = 0;
      int code = 0;
      words >> std::hex >> address >> std::dec >> code;
      note_refused(address, code);
    } else if (kind == '.') {
      progress_.complete = ++batches_done_ >= batches_;
    }
  }

  void note_refused(std::uint64_t address, int code) {
    const auto found = names_.find(address);
    progress_.refused.push_back({found != names_.end() ? found->second->name : std::to_string(address),
                                 std::string("refused at attach: ") + std::strerror(code)});
  }

  UniqueFd socket_;
  const AttachedProbes& links_;
  int worker_ = 0;
  std::string input_;
  AttachProgress progress_;
  std::map<std::uint64_t, const ProbeTarget*> names_;
  int batches_ = 1;
  int batches_done_ = 0;
};

}  // namespace

Result<std::unique_ptr<AttachedProbes>> attach_kprobes(TracerObject& tracer, const ProbePlan& plan,
                                                       const std::string& tracefs, const KprobeBase& base,
                                                       const AttachedProbes& links, const Stop& stop) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data())) {
    const int err = errno;
    return fail(err, "open a socket to the kprobe worker");
  }
  UniqueFd ours{ends[0]};
  const UniqueFd theirs{ends[1]};
  WorkerFiles files{theirs.get()};
  std::string programs;
  for (const auto tier : kAttachOrder) {
    if (const auto* program = tracer.program(Backend::Kprobe, tier)) {
      files.push_back(bpf_program__fd(program));
      programs += letter_of(tier);
    }
  }
  TRY(spawn_worker(files, tracefs));
  auto probes = std::make_unique<WorkerProbes>(std::move(ours), links);
  TRY(probes->order(plan, base, programs));
  TRY(probes->wait_for_path(stop));
  return std::unique_ptr<AttachedProbes>{std::move(probes)};
}

}  // namespace skbtrail
