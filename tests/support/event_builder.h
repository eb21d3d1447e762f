#pragma once
// Events by words, without a decoder: an_event().at("ip_rcv").of_packet(1). Names live as long as the builder.

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>

#include "model/packet_event.h"

namespace skbtrail::test {

class EventBuilder {
public:
  EventBuilder() {
    at("ip_rcv");
    of_packet(1);
    event_.sequence = 17;
    event_.monotonic_ns = 5'000;
    event_.realtime_ns = 1'795'510'800'123'456'789;  // 2026-11-24T09:00:00.123456789Z
    event_.skb = 0xffff88810574e700;
    event_.pid = 367;
    event_.comm = "ping";
    event_.length = 84;
  }

  EventBuilder(const EventBuilder&) = delete;  // the event points into it
  EventBuilder& operator=(const EventBuilder&) = delete;

  EventBuilder& at(std::string name, std::uint64_t offset = 0, std::string module = {}) {
    event_.function = symbol(std::move(name), offset, std::move(module));
    return *this;
  }
  EventBuilder& called_from(std::string name, std::uint64_t offset) {
    event_.caller = symbol(std::move(name), offset, {});
    return *this;
  }
  EventBuilder& of_packet(std::uint64_t number) {
    event_.packet = {.head = 0xffff888105740000 + number * 4096, .born_ns = number};
    return *this;
  }
  EventBuilder& child_of(std::uint64_t number) {
    event_.parent = PacketId{.head = 0xffff888105740000 + number * 4096, .born_ns = number};
    return *this;
  }
  EventBuilder& on_device(std::uint32_t ifindex, std::string_view name, std::uint32_t mtu) {
    event_.ifindex = ifindex;
    event_.ifname = name;
    event_.mtu = mtu;
    return *this;
  }
  EventBuilder& in_netns(std::uint32_t inum) {
    event_.netns = inum;
    return *this;
  }
  EventBuilder& of_pod(std::string name_space, std::string name, PodSide side = PodSide::Inside) {
    event_.pod = {.pod = pod(std::move(name_space), std::move(name)), .side = side};
    return *this;
  }
  EventBuilder& between(std::string source, std::string destination) {
    event_.source_pod = pod("shop", std::move(source));
    event_.destination_pod = pod("shop", std::move(destination));
    return *this;
  }
  EventBuilder& with_tcp(std::uint16_t source, std::uint16_t destination) {
    event_.protocol = 0x0800;
    event_.tuple = Tuple{.source = {4, {10, 9, 0, 1}},
                         .destination = {4, {10, 9, 0, 2}},
                         .l4 = L4::Tcp,
                         .next_header = 6,
                         .has_ports = true,
                         .source_port = source,
                         .destination_port = destination,
                         .tcp_flags = 0x12};
    return *this;
  }
  EventBuilder& with_stack(std::string name, std::uint64_t offset) {
    event_.stack.push_back(symbol(std::move(name), offset, {}));
    return *this;
  }
  EventBuilder& with_value(std::string name, ValueKind kind, std::optional<std::uint64_t> value) {
    forms_.push_back({.name = std::move(name), .kind = kind});
    event_.values.push_back({.form = &forms_.back(), .value = value});
    return *this;
  }
  EventBuilder& after(std::uint64_t nanoseconds) {
    event_.delta_ns = nanoseconds;
    return *this;
  }
  EventBuilder& with_skb(std::uint64_t address) {
    event_.skb = address;
    return *this;
  }
  EventBuilder& by(std::string_view comm, std::uint32_t pid) {
    event_.comm = comm;
    event_.pid = pid;
    return *this;
  }
  // At its entry, or at its exit with a verdict.
  EventBuilder& at_program(std::string name, std::uint32_t id, std::optional<std::int32_t> verdict = std::nullopt,
                           ProgramKind kind = ProgramKind::Tc) {
    programs_.push_back({.id = id, .kind = kind, .symbol = {.name = name, .offset = 0, .module = "bpf"}});
    event_.program = ProgramStep{.program = &programs_.back(), .verdict = verdict};
    return at(std::move(name), 0, "bpf");
  }
  EventBuilder& at_frame(std::string name, std::uint32_t id, std::optional<std::int32_t> verdict = std::nullopt) {
    event_.skb = 0;
    return at_program(std::move(name), id, verdict, ProgramKind::Xdp);
  }
  EventBuilder& dropped() {
    event_.type = EventType::Drop;
    event_.drop = Drop{};
    return *this;
  }
  EventBuilder& dropped_because(std::string reason, std::string subsystem = "core") {
    reasons_.push_back({.name = std::move(reason), .subsystem = std::move(subsystem)});
    dropped();
    event_.drop = Drop{.reason = 8, .name = &reasons_.back()};
    return *this;
  }

  PacketEvent& event() { return event_; }
  operator const PacketEvent&() const { return event_; }

private:
  const Pod* pod(std::string name_space, std::string name) {
    pods_.push_back({.namespace_name = std::move(name_space), .name = std::move(name), .uid = "0f3c5b0e"});
    return &pods_.back();
  }
  const Symbol* symbol(std::string name, std::uint64_t offset, std::string module) {
    symbols_.push_back({.name = std::move(name), .offset = offset, .module = std::move(module)});
    return &symbols_.back();
  }

  std::deque<Symbol> symbols_;  // grows without moving what an event points at
  std::deque<DropReasonName> reasons_;
  std::deque<TracedProgram> programs_;
  std::deque<ValueForm> forms_;
  std::deque<Pod> pods_;
  PacketEvent event_;
};

inline EventBuilder an_event() {
  return {};
}

}  // namespace skbtrail::test
