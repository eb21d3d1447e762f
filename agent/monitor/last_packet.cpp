#include "monitor/last_packet.h"

#include <algorithm>
#include <string_view>

#include "sink/notation.h"

namespace skbtrail {
namespace {

constexpr std::size_t kMostCharacters = 128;  // of names and values, OpenMetrics 1.0
constexpr std::string_view kLocation = "location";

IpAddress address_of(std::uint8_t version, const std::uint8_t (&bytes)[16]) {
  IpAddress address{.version = version};
  std::ranges::copy(bytes, address.bytes);
  return address;
}

std::size_t characters(const Exemplar& exemplar) {
  std::size_t sum = 0;
  for (const auto& label : exemplar.labels)
    sum += label.name.size() + label.value.size();
  return sum;
}

}  // namespace

Exemplar exemplar_of(const LastPacket& packet) {
  const monitor_last_packet& facts = packet.packet;
  Exemplar exemplar{.labels = {}, .seconds = packet.seconds};
  const auto add = [&](const char* name, std::string value) { exemplar.labels.push_back({name, std::move(value)}); };
  if (facts.ip_version != 0) {
    add("saddr", address_text(address_of(facts.ip_version, facts.saddr)));
    add("daddr", address_text(address_of(facts.ip_version, facts.daddr)));
  }
  if (facts.has_ports) {
    add("sport", std::to_string(facts.sport));
    add("dport", std::to_string(facts.dport));
  }
  if (!packet.location.empty() && characters(exemplar) + kLocation.size() + packet.location.size() <= kMostCharacters)
    add(kLocation.data(), packet.location);
  return exemplar;
}

}  // namespace skbtrail
