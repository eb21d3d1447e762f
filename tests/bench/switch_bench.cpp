// What the programs that are always on, or on in slices, cost a sender that goes on meanwhile: switches them on and off
// a few times a second, so that whatever else changes on the machine is the same for all.
//
//   bench_switch SENDER INTERFACE ROUNDS
//       SENDER is the process that sends over INTERFACE as fast as it can; prints a line for each state of each round:
//       its name, and packets for a second of SENDER's CPU
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <functional>
#include <random>
#include <sstream>
#include <string>
#include <thread>

#include "base/clock.h"
#include "kernel/latency_object.h"
#include "kernel/monitor_object.h"

namespace {

using namespace skbtrail;
using namespace std::chrono_literals;

constexpr auto kSettle = 20ms;
constexpr auto kWindow = 150ms;
// Of a busy node's first slice; later ones time fewer.
constexpr std::uint32_t kOneIn = 64;

struct Sender {
  pid_t process;
  std::string interface;
  clockid_t cpu;
};

std::uint64_t packets_of(const Sender& sender) {
  std::ifstream table("/proc/" + std::to_string(sender.process) + "/net/dev");
  for (std::string line; std::getline(table, line);) {
    const auto colon = line.find(':');
    const auto name = line.find_first_not_of(' ');
    if (colon == std::string::npos || line.substr(name, colon - name) != sender.interface)
      continue;
    // Eight columns of what was received, then the packets that were sent.
    std::istringstream columns(line.substr(colon + 1));
    std::uint64_t value = 0;
    for (int column = 0; column < 10; ++column)
      columns >> value;
    return value;
  }
  std::fprintf(stderr, "bench_switch: process %d has no interface '%s'\n", sender.process, sender.interface.c_str());
  std::exit(1);
}

double packets_per_cpu_second(const Sender& sender) {
  std::this_thread::sleep_for(kSettle);
  const auto packets = packets_of(sender);
  const auto cpu_ns = clock_ns(sender.cpu);
  std::this_thread::sleep_for(kWindow);
  return 1e9 * static_cast<double>(packets_of(sender) - packets) / static_cast<double>(clock_ns(sender.cpu) - cpu_ns);
}

template <class T>
T must(Result<T> result) {
  if (result)
    return std::move(*result);
  std::fprintf(stderr, "bench_switch: %s\n", result.error().message.c_str());
  std::exit(1);
}

void must(const Result<>& result) {
  if (result)
    return;
  std::fprintf(stderr, "bench_switch: %s\n", result.error().message.c_str());
  std::exit(1);
}

struct State {
  const char* name;
  std::function<double(const Sender&)> measure;
};

double counting_drops(const Sender& sender) {
  auto monitor = must(MonitorObject::load({.has_drop_reason = true}));
  must(monitor.attach());
  return packets_per_cpu_second(sender);
}

double timing(LatencyObject& latency, TimedWay way, const Sender& sender) {
  must(latency.attach(way, kOneIn));
  const double rate = packets_per_cpu_second(sender);
  latency.detach();
  (void)must(latency.take());
  return rate;
}

void run(const Sender& sender, int rounds) {
  auto latency = must(LatencyObject::load(HostRoot{}));
  std::array<State, 6> states{{{"off", packets_per_cpu_second},
                               {"again", packets_per_cpu_second},
                               {"drops", counting_drops},
                               {"out", [&](const Sender& one) { return timing(latency, TimedWay::Out, one); }},
                               {"in", [&](const Sender& one) { return timing(latency, TimedWay::In, one); }},
                               {"both", [&](const Sender& one) { return timing(latency, TimedWay::Both, one); }}}};
  std::mt19937 order{1};
  for (int round = 0; round < rounds; ++round) {
    std::ranges::shuffle(states, order);
    for (const State& state : states)
      std::printf("%s %.0f\n", state.name, state.measure(sender));
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: bench_switch SENDER INTERFACE ROUNDS\n");
    return 2;
  }
  Sender sender{.process = std::atoi(argv[1]), .interface = argv[2], .cpu = {}};
  if (::clock_getcpuclockid(sender.process, &sender.cpu)) {
    std::fprintf(stderr, "bench_switch: there is no process %s\n", argv[1]);
    return 1;
  }
  run(sender, std::atoi(argv[3]));
  return 0;
}
