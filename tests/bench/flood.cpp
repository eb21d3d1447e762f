// Traffic for benchmarks: UDP packets of 64 bytes as fast as one core sends them, and their receiver.
//
//   bench_flood receive PORT                       until it is ended
//   bench_flood send ADDRESS PORT SECONDS [EVERY [RATE]]
//       prints how many packets were sent; every EVERY-th one goes to PORT + 1 instead (a filter's one in a thousand;
//       0: none); at most RATE a second
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

namespace {

// IPv4 and UDP headers are the other 28 of 64 bytes.
constexpr std::size_t kPayload = 36;

int open_socket() {
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    std::perror("socket");
    std::exit(1);
  }
  return fd;
}

int receive(int port) {
  sockaddr_in here{};
  here.sin_family = AF_INET;
  here.sin_port = htons(static_cast<std::uint16_t>(port));
  const int fd = open_socket();
  int bytes = 8 << 20;
  (void)::setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&here), sizeof(here))) {
    std::perror("bind");
    return 1;
  }
  std::array<char, 2048> packet{};
  for (;;)
    (void)::recv(fd, packet.data(), packet.size(), 0);
}

// Sleeps while more was sent than `rate` allows since `started`; 0: no bound.
void keep_to(double rate, unsigned long sent, std::chrono::steady_clock::time_point started) {
  if (rate > 0)
    std::this_thread::sleep_until(started + std::chrono::duration<double>(static_cast<double>(sent) / rate));
}

int send(const char* address, int port, double seconds, unsigned every, double rate) {
  sockaddr_in there{};
  there.sin_family = AF_INET;
  if (::inet_pton(AF_INET, address, &there.sin_addr) != 1) {
    std::fprintf(stderr, "bench_flood: '%s' is no IPv4 address\n", address);
    return 2;
  }
  const int fd = open_socket();
  const std::array<char, kPayload> packet{};
  const auto started = std::chrono::steady_clock::now();
  const auto end = started + std::chrono::duration<double>(seconds);
  unsigned long sent = 0;
  do {
    for (int burst = 0; burst < 64; ++burst, ++sent) {
      const bool other = every > 0 && sent % every == 0;
      there.sin_port = htons(static_cast<std::uint16_t>(other ? port + 1 : port));
      (void)::sendto(fd, packet.data(), packet.size(), 0, reinterpret_cast<const sockaddr*>(&there), sizeof(there));
    }
    keep_to(rate, sent, started);
  } while (std::chrono::steady_clock::now() < end);
  std::printf("%lu\n", sent);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3 && !std::strcmp(argv[1], "receive"))
    return receive(std::atoi(argv[2]));
  if (argc >= 5 && argc <= 7 && !std::strcmp(argv[1], "send"))
    return send(argv[2], std::atoi(argv[3]), std::atof(argv[4]),
                argc > 5 ? static_cast<unsigned>(std::atoi(argv[5])) : 0, argc > 6 ? std::atof(argv[6]) : 0);
  std::fprintf(stderr, "usage: bench_flood receive PORT | send ADDRESS PORT SECONDS [EVERY [RATE]]\n");
  return 2;
}
