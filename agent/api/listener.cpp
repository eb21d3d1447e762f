#include "api/listener.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <memory>
#include <utility>

namespace skbtrail {
namespace {

constexpr int kBacklog = 64;
constexpr int kKind = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;

using Addresses = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

Result<Addresses> resolved(const ListenAddress& address) {
  const addrinfo hints{.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
                       .ai_family = AF_UNSPEC,
                       .ai_socktype = SOCK_STREAM,
                       .ai_protocol = 0,
                       .ai_addrlen = 0,
                       .ai_addr = nullptr,
                       .ai_canonname = nullptr,
                       .ai_next = nullptr};
  addrinfo* found = nullptr;
  if (const int code = ::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found);
      code != 0)
    return refuse(EADDRNOTAVAIL, "'" + address.host + "' is no address to listen on: " + ::gai_strerror(code));
  return Addresses{found, &::freeaddrinfo};
}

bool is_loopback(const sockaddr& address) {
  if (address.sa_family == AF_INET)
    return (ntohl(reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr) >> 24) == 127;
  return address.sa_family == AF_INET6 &&
         IN6_IS_ADDR_LOOPBACK(&reinterpret_cast<const sockaddr_in6&>(address).sin6_addr) != 0;
}

Result<UniqueFd> bound(const addrinfo& where, const std::string& doing) {
  UniqueFd socket{::socket(where.ai_family, kKind, where.ai_protocol)};
  if (const int err = errno; !socket)
    return fail(err, doing);
  const int yes = 1;
  const int no = 0;
  (void)::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  // "[::]" is for both families.
  if (where.ai_family == AF_INET6)
    (void)::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
  if (::bind(socket.get(), where.ai_addr, where.ai_addrlen) != 0 || ::listen(socket.get(), kBacklog) != 0) {
    const int err = errno;
    return fail(err, doing);
  }
  return socket;
}

Result<std::uint16_t> port_of(int socket) {
  sockaddr_storage address{};
  socklen_t length = sizeof(address);
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    const int err = errno;
    return fail(err, "ask a socket for its port");
  }
  // The port stands at the same place in both families.
  return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  return address;
}

bool is_same(const struct stat& one, const struct stat& other) {
  return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

// Removes the file only if it is still `seen`: it is moved away first, and put back when it is another one.
Result<> remove_seen(const std::string& path, const std::string& aside, const struct stat& seen) {
  if (::rename(path.c_str(), aside.c_str()) != 0) {
    const int err = errno;
    return err == ENOENT ? Result<>{} : fail(err, "remove what an earlier agent left");
  }
  struct stat moved {};
  if (::lstat(aside.c_str(), &moved) == 0 && !is_same(moved, seen)) {
    (void)::renameat2(AT_FDCWD, aside.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE);
    return refuse(EADDRINUSE, "another process serves it");
  }
  (void)::unlink(aside.c_str());
  return {};
}

// Takes away what an agent that was killed has left.
Result<> clear_stale(const std::string& path, const std::string& aside) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0)
    return {};  // nothing is there; whatever else is wrong, bind() says
  if (!S_ISSOCK(status.st_mode))
    return refuse(EEXIST, "there is a file which is no socket");
  const UniqueFd probe{::socket(AF_UNIX, kKind, 0)};
  const auto address = address_of(path);
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 || errno == EAGAIN)
    return refuse(EADDRINUSE, "another process serves it");
  if (errno != ECONNREFUSED) {
    const int err = errno;
    return fail(err, "ask whether it is served");
  }
  return remove_seen(path, aside, status);
}

Result<> make_folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos || slash == 0)
    return {};
  if (::mkdir(path.substr(0, slash).c_str(), 0755) != 0 && errno != EEXIST) {
    const int err = errno;
    return fail(err, "make its folder");
  }
  return {};
}

// One agent at a time looks and takes the name, while it holds what this returns. Anybody who can read the folder could
// hold the lock for ever, so after half a second it goes without: then only the steps themselves keep agents apart.
UniqueFd folder_lock(const std::string& path) {
  constexpr int kTries = 50;
  constexpr int kPauseMilliseconds = 10;
  UniqueFd folder{::open(path.substr(0, path.rfind('/') + 1).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  for (int tries = 0; folder && ::flock(folder.get(), LOCK_EX | LOCK_NB) != 0 && tries < kTries; ++tries)
    (void)::poll(nullptr, 0, kPauseMilliseconds);
  return folder;
}

// Gives the file `own`, which is listened on, its name. A name that somebody else has got meanwhile stays his.
Result<> take_name(const std::string& own, const std::string& path) {
  const UniqueFd lock = folder_lock(path);
  TRY(clear_stale(path, own + "x"));
  if (::renameat2(AT_FDCWD, own.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) == 0)
    return {};
  const int err = errno;
  return err == EEXIST ? refuse(EADDRINUSE, "another process serves it") : fail(err, "name the socket");
}

// Two agents in containers may have one number, so it is not the process's.
Result<std::string> name_beside(const std::string& path) {
  std::uint32_t number = 0;
  if (::getrandom(&number, sizeof(number), 0) != sizeof(number)) {
    const int err = errno;
    return fail(err, "draw a random number");
  }
  std::array<char, 8> digits;
  const char* const end = std::to_chars(digits.data(), digits.data() + digits.size(), number, 16).ptr;
  return path.substr(0, path.rfind('/') + 1) + "." +
         std::string(digits.data(), static_cast<std::size_t>(end - digits.data()));
}

Result<UniqueFd> bound_to(const std::string& path) {
  UniqueFd socket{::socket(AF_UNIX, kKind, 0)};
  const auto address = address_of(path);
  // The mode of the socket becomes that of its file, which nobody else can open for a moment then.
  if (!socket || ::fchmod(socket.get(), 0600) != 0 ||
      ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    const int err = errno;
    return fail(err, "bind");
  }
  return socket;
}

// Whoever finds the file is answered: it gets its name last.
Result<UniqueFd> listening_at(const std::string& path, struct stat& file) {
  const std::string own = TRY(name_beside(path));
  if (std::max(path.size(), own.size()) >= sizeof(sockaddr_un::sun_path))
    return refuse(ENAMETOOLONG, "the path is too long for a socket");
  TRY(make_folder_of(path));
  auto socket = TRY(bound_to(own));
  const bool listens = ::lstat(own.c_str(), &file) == 0 && ::listen(socket.get(), kBacklog) == 0;
  const int err = errno;
  auto named = listens ? take_name(own, path) : Result<>{fail(err, "listen")};
  if (!named) {
    (void)::unlink(own.c_str());
    return std::move(named.error());
  }
  return socket;
}

}  // namespace

Result<Listener> Listener::on_network(const ListenAddress& address, Reach reach) {
  auto listener = on_one_network(address, reach);
  // Booted with ipv6.disable=1: "every address" is those of IPv4 then.
  if (!listener && listener.error().code == EAFNOSUPPORT && address.host == "::")
    return on_one_network({.host = "0.0.0.0", .port = address.port}, reach);
  return listener;
}

Result<Listener> Listener::on_one_network(const ListenAddress& address, Reach reach) {
  const auto addresses = TRY(resolved(address));
  const addrinfo& first = *addresses;
  const std::string doing = "listen on '" + text_of(address) + "'";
  if (reach == Reach::Loopback && !is_loopback(*first.ai_addr))
    return refuse(EPERM, doing + ": without TLS only a loopback address is served");
  Listener listener{TRY(bound(first, doing))};
  listener.port_ = TRY(port_of(listener.fd()));
  return listener;
}

Result<Listener> Listener::on_path(const std::string& path) {
  const std::string doing = "listen on '" + path + "'";
  struct stat file {};
  auto socket = listening_at(path, file);
  if (!socket)
    return within(doing, std::move(socket.error()));
  Listener listener{std::move(*socket)};
  // From here on the file is ours to remove.
  listener.path_ = path;
  listener.device_ = file.st_dev;
  listener.inode_ = file.st_ino;
  return listener;
}

Listener::~Listener() {
  struct stat status {};
  if (!path_.empty() && ::lstat(path_.c_str(), &status) == 0 && status.st_dev == device_ && status.st_ino == inode_)
    (void)::unlink(path_.c_str());
}

}  // namespace skbtrail
