// How long it takes to read and write a page of many pods that lose packets for many reasons, and how large it is.
//
//   bench_scrape [PODS [REASONS]]
#include <netinet/in.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "monitor/drop_ledger.h"
#include "sink/exposition.h"

namespace {

using namespace skbtrail;

constexpr std::uint32_t kFirstNetns = 4026531840;

class Reasons final : public DropReasonNames {
public:
  DropReasonName lookup(std::uint32_t reason) const override {
    return {.name = "SOME_LONG_REASON_" + std::to_string(reason), .subsystem = "core"};
  }
};

class Locations final : public SymbolResolver {
public:
  Symbol resolve(std::uint64_t address) const override {
    return {.name = "some_function_" + std::to_string(address), .offset = 0, .module = {}};
  }
};

std::optional<LastPacket> last_packet() {
  const monitor_last_packet packet{.dropped_ns = 0,
                                   .saddr = {10, 244, 13, 102},
                                   .daddr = {10, 244, 17, 201},
                                   .sport = 43210,
                                   .dport = 8443,
                                   .ip_version = 4,
                                   .has_ports = 1,
                                   .unused = {}};
  return LastPacket{.packet = packet, .seconds = 1764442800.5, .location = {}};
}

std::vector<DropRow> rows_of(std::uint32_t pods, std::uint32_t reasons, std::uint64_t packets) {
  std::vector<DropRow> rows;
  for (std::uint32_t pod = 0; pod < pods; ++pod)
    for (std::uint32_t reason = 0; reason < reasons; ++reason) {
      DropRow row;
      row.key = {.location = reason,
                 .netns_cookie = 0,
                 .netns_inum = kFirstNetns + pod,
                 .reason = reason,
                 .ifindex = 2,
                 .l3_protocol = 0x0800,
                 .l4_protocol = IPPROTO_TCP,
                 .direction = MONITOR_INGRESS,
                 .pod_netns_inum = 0,
                 .pod_end = MONITOR_NO_POD_END,
                 .unused = {}};
      row.count = {.packets = packets, .bytes = 100 * packets};
      rows.push_back(row);
    }
  return rows;
}

}  // namespace

int main(int argc, char** argv) {
  const auto pods = static_cast<std::uint32_t>(argc > 1 ? std::atoi(argv[1]) : 250);
  const auto reasons = static_cast<std::uint32_t>(argc > 2 ? std::atoi(argv[2]) : 20);
  std::vector<Pod> known(pods);
  for (std::uint32_t pod = 0; pod < pods; ++pod)
    known[pod] = {.namespace_name = "namespace-" + std::to_string(pod % 10),
                  .name = "deployment-7d4b9c6f5-" + std::to_string(pod),
                  .uid = ""};
  const Reasons reason_names;
  const Locations location_names;
  const DropNames names{
      .reasons = &reason_names,
      .locations = &location_names,
      .interface = [](std::uint32_t, std::uint32_t) { return std::string("eth0"); },
      .pod =
          [&](const PacketPlace& place) {
            return PodFound{PodAnswer::Pod, {&known[place.netns_inum - kFirstNetns], PodSide::Inside}};
          },
      .last_packet = [](const monitor_drop_key&) { return last_packet(); }};
  SeriesBudget budget;
  DropLedger ledger{budget};
  for (std::uint64_t round = 1; round <= 3; ++round) {
    const auto rows = rows_of(pods, reasons, round);
    const auto started = std::chrono::steady_clock::now();
    ledger.take(rows, names);
    MetricPage collected;
    for (const auto* family : ledger.families())
      collected.families.push_back(family->metrics());
    collected.exemplars = ledger.exemplars();
    const std::string page = exposition(collected, ExpositionFormat::OpenMetrics);
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - started;
    const std::string text = exposition(collected, ExpositionFormat::Text);
    const std::chrono::duration<double, std::milli> both = std::chrono::steady_clock::now() - started;
    std::printf("%zu rows, %zu series: OpenMetrics %.1f ms, %zu bytes; text %.1f ms more\n", rows.size(), budget.used,
                took.count(), page.size(), (both - took).count());
  }
  return 0;
}
