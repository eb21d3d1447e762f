// How many ring records a second one core turns into JSON lines. Prints a table; run it on an idle machine.

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <vector>

#include <fcntl.h>

#include "base/unique_fd.h"
#include "decode/decoder.h"
#include "decode/packet_history.h"
#include "sink/json_sink.h"
#include "sink/text_sink.h"
#include "support/record_builder.h"

using namespace skbtrail;
using namespace skbtrail::test;

namespace {

constexpr std::size_t kPackets = 512;
constexpr std::size_t kHops = 24;
constexpr int kRounds = 100;

using Records = std::vector<std::vector<std::byte>>;

// Many packets, each on its way through the same two dozen functions, as they come out of a ring.
Records packets_on_their_way(bool with_stack) {
  Records records;
  for (std::size_t packet = 0; packet < kPackets; ++packet) {
    for (std::size_t hop = 0; hop < kHops; ++hop) {
      auto record = a_record().at(0xffffffff81000000 + hop * 0x400).on_device(2, "eth0", 1500).in_netns(4026532165);
      record.raw.head += packet * 4096;
      record.raw.time_ns += (packet * kHops + hop) * 700;
      record.called_from(0xffffffff82000000 + hop * 0x400);
      if (packet % 4 == 0)
        record.with_packet(0x86dd, ip6(6, tcp(40512, 443)));
      else
        record.with_tcp(40512 + static_cast<unsigned>(packet), 80);
      if (with_stack)
        record.with_stack(std::vector<std::uint64_t>(16, 0xffffffff83000000 + hop * 16));
      records.push_back(record.bytes());
    }
  }
  return records;
}

FakeSymbols kernel_symbols() {
  FakeSymbols symbols;
  for (std::uint64_t hop = 0; hop < kHops; ++hop) {
    const auto number = std::to_string(hop);
    symbols.known[0xffffffff81000000 + hop * 0x400] = {.name = "nf_conntrack_in_" + number, .offset = 0, .module = {}};
    symbols.known[0xffffffff82000000 + hop * 0x400] = {.name = "ip_list_rcv_" + number, .offset = 0x3d, .module = {}};
  }
  return symbols;
}

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void measure(const char* what, const Records& records, Sink* sink) {
  const FakeSymbols symbols = kernel_symbols();
  const FakeReasons reasons;
  Decoder decoder(symbols, reasons, 1'795'000'000'000'000'000);
  PacketHistory history;
  PacketEvent event;
  const double seconds = seconds_of([&] {
    for (int round = 0; round < kRounds; ++round) {
      for (const auto& record : records) {
        if (!decoder.decode(record, event))
          std::abort();
        event.sequence++;
        event.delta_ns = history.since_last(event.packet, event.monotonic_ns);
        if (sink)
          sink->accept(event);
      }
      if (sink && !sink->flush())
        std::abort();
    }
  });
  const double events = static_cast<double>(records.size()) * kRounds;
  std::printf("%-32s %10.0f events/s  %6.0f ns/event\n", what, events / seconds, seconds / events * 1e9);
}

}  // namespace

int main() {
  const UniqueFd nowhere{::open("/dev/null", O_WRONLY | O_CLOEXEC)};
  auto output = Output::borrow(nowhere.get(), "/dev/null");
  JsonSink json(*output, {.node = "n1", .session = "shop/web-debug"});
  TextSink text(*output, {});
  const Records plain = packets_on_their_way(false);
  const Records stacked = packets_on_their_way(true);
  measure("decode", plain, nullptr);
  measure("decode + JSON", plain, &json);
  measure("decode + JSON with 16 frames", stacked, &json);
  measure("decode + text", plain, &text);
}
