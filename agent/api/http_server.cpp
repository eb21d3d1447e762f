#include "api/http_server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <list>
#include <new>
#include <system_error>
#include <thread>
#include <utility>

#include "api/tls_identity.h"

namespace skbtrail {
namespace {

// Between two tries when the process has no file descriptor, or the kernel no memory, left.
constexpr std::chrono::milliseconds kPause{100};

std::optional<uid_t> peer_of(int socket) {
  ucred peer{};
  socklen_t length = sizeof(peer);
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0)
    return std::nullopt;
  return peer.uid;
}

// Threads of the server: a connection that is gone must not end the agent.
void become(const std::string& name) {
  sigset_t pipe{};
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
  ::pthread_setname_np(::pthread_self(), name.c_str());
}

class Server final : public HttpServer {
public:
  Server(Listener listener, std::unique_ptr<TlsIdentity> tls, UniqueFd stop, const Settings& settings)
      : settings_(settings), listener_(std::move(listener)), tls_(std::move(tls)), stop_(std::move(stop)) {
    thread_ = std::jthread([this](const std::stop_token& token) {
      become(settings_.name);
      accept_all(token);
    });
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server() override {
    const std::uint64_t one = 1;
    (void)!::write(stop_.get(), &one, sizeof(one));
    thread_ = {};
    connections_.clear();
  }

  std::uint16_t port() const override { return listener_.port(); }

private:
  struct Connection {
    bool is_refused = false;
    std::atomic<bool> ended = false;
    std::jthread thread;
  };

  bool is_network() const { return listener_.port() != 0; }
  void accept_all(const std::stop_token& stop);
  void pause_without(const char* doing, int err) const;
  void take_if_possible(UniqueFd socket);
  void take(UniqueFd socket);
  void serve(UniqueFd socket, SslSession ssl, bool is_too_many);
  void reap();
  void reap_without_thread();

  Settings settings_;
  Listener listener_;
  std::unique_ptr<TlsIdentity> tls_;
  UniqueFd stop_;                      // readable from the end on
  std::list<Connection> connections_;  // of the accepting thread
  std::jthread thread_;                // last: it uses all of the above
};

void Server::accept_all(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    pollfd ready[] = {{.fd = listener_.fd(), .events = POLLIN, .revents = 0},
                      {.fd = stop_.get(), .events = POLLIN, .revents = 0}};
    if (::poll(ready, 2, -1) < 0) {
      if (const int err = errno; err != EINTR)
        pause_without("wait for connections", err);
      continue;
    }
    if (ready[1].revents != 0)
      return;
    UniqueFd socket{::accept4(listener_.fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
    const int err = errno;
    const bool is_short = !socket && (err == EMFILE || err == ENFILE || err == ENOBUFS || err == ENOMEM);
    reap();
    if (socket)
      take_if_possible(std::move(socket));
    else if (is_short)
      pause_without("take a connection", err);
  }
}

// What is missing may be there again in a moment; a listener that gave up would be missed for ever.
void Server::pause_without(const char* doing, int err) const {
  const char* const cure = err == EMFILE   ? "; raise the limit of open files (`ulimit -n`)"
                           : err == ENFILE ? "; raise the machine's limit of open files (sysctl fs.file-max)"
                                           : "";
  settings_.tell(LogLevel::Warning,
                 std::string("cannot ") + doing + " now: " + std::generic_category().message(err) + cure);
  std::this_thread::sleep_for(kPause);
}

// Without a thread or memory for it this connection is closed; the server, and the agent, go on.
void Server::take_if_possible(UniqueFd socket) {
  try {
    take(std::move(socket));
  } catch (const std::bad_alloc&) {
    reap_without_thread();
    settings_.tell(LogLevel::Warning, "a connection was closed: no memory for it");
  } catch (const std::system_error& error) {
    reap_without_thread();
    settings_.tell(LogLevel::Warning, std::string("a connection was closed: no thread for it: ") + error.what());
  }
}

void Server::take(UniqueFd socket) {
  const auto refused = static_cast<std::size_t>(std::ranges::count(connections_, true, &Connection::is_refused));
  const bool is_too_many = connections_.size() - refused >= settings_.limits.connections;
  if (is_too_many && refused >= settings_.limits.refused)
    return;
  SslSession ssl;
  if (tls_) {
    auto session = tls_->session();
    if (!session)
      return settings_.tell(LogLevel::Warning, session.error().message);
    ssl = std::move(*session);
  }
  auto& connection = connections_.emplace_back();
  connection.is_refused = is_too_many;
  connection.thread =
      std::jthread([this, &connection, is_too_many, taken = std::move(socket), session = std::move(ssl)]() mutable {
        become(settings_.name + "-client");
        serve(std::move(taken), std::move(session), is_too_many);
        connection.ended = true;
      });
}

void Server::serve(UniqueFd socket, SslSession ssl, bool is_too_many) {
  const int yes = 1;
  if (is_network())
    (void)::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
  const auto peer = is_network() ? std::nullopt : peer_of(socket.get());
  SocketStream stream{std::move(socket), stop_.get(), std::move(ssl)};
  HttpConnection connection{stream,
                            {.service = settings_.service,
                             .limits = settings_.limits.http,
                             .patience = settings_.limits.patience,
                             .requests = settings_.limits.requests,
                             .peer = peer}};
  try {
    if (is_too_many)
      connection.refuse_all();
    else
      connection.serve();
  } catch (const std::exception&) {
    // Of too little memory, say. This connection is closed; the others, and the agent, go on.
  }
}

// Joining a thread that has ended takes no time.
void Server::reap() {
  connections_.remove_if([](const Connection& connection) { return connection.ended.load(); });
}

void Server::reap_without_thread() {
  connections_.remove_if([](const Connection& connection) { return !connection.thread.joinable(); });
}

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::start(Listener listener, std::unique_ptr<TlsIdentity> tls,
                                                      const Settings& settings) {
  UniqueFd stop{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  if (const int err = errno; !stop)
    return fail(err, "make an eventfd");
  return std::unique_ptr<HttpServer>{
      std::make_unique<Server>(std::move(listener), std::move(tls), std::move(stop), settings)};
}

}  // namespace skbtrail
