#include "monitor/last_packet.h"

#include <catch2/catch.hpp>
#include <map>

namespace skbtrail {
namespace {

using Labels = std::map<std::string, std::string>;

Labels labels_of(const LastPacket& packet) {
  Labels labels;
  for (const auto& label : exemplar_of(packet).labels)
    labels[label.name] = label.value;
  return labels;
}

LastPacket v4() {
  return {.packet = {.dropped_ns = 1,
                     .saddr = {10, 0, 0, 1},
                     .daddr = {10, 0, 0, 2},
                     .sport = 40000,
                     .dport = 53,
                     .ip_version = 4,
                     .has_ports = 1,
                     .unused = {}},
          .seconds = 2.5,
          .location = "udp_rcv"};
}

// As long as it gets.
LastPacket v6() {
  LastPacket packet = v4();
  packet.packet.ip_version = 6;
  packet.packet.dport = 50000;
  for (auto* address : {packet.packet.saddr, packet.packet.daddr})
    for (int i = 0; i < 16; ++i)
      address[i] = 0xfd;
  return packet;
}

TEST_CASE("of a packet that nothing is known of there is only the time") {
  const LastPacket packet{.packet = {}, .seconds = 2.5, .location = {}};
  CHECK(exemplar_of(packet).labels.empty());
  CHECK(exemplar_of(packet).seconds == 2.5);
}

TEST_CASE("a packet without ports has its addresses and where it was dropped") {
  auto packet = v4();
  packet.packet.has_ports = 0;
  CHECK(labels_of(packet) == Labels{{"saddr", "10.0.0.1"}, {"daddr", "10.0.0.2"}, {"location", "udp_rcv"}});
}

TEST_CASE("a packet with ports has them") {
  CHECK(
      labels_of(v4()) ==
      Labels{
          {"saddr", "10.0.0.1"}, {"daddr", "10.0.0.2"}, {"sport", "40000"}, {"dport", "53"}, {"location", "udp_rcv"}});
}

TEST_CASE("an exemplar never has more than OpenMetrics allows, and the location goes first") {
  auto packet = v6();
  packet.location = "a_function12";  // 108 + 8 + 12
  std::size_t characters = 0;
  for (const auto& [name, value] : labels_of(packet))
    characters += name.size() + value.size();
  CHECK(characters == 128);
  packet.location += '3';
  CHECK_FALSE(labels_of(packet).contains("location"));
  CHECK(labels_of(packet)["saddr"] == "fdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fdfd");
}

}  // namespace
}  // namespace skbtrail
