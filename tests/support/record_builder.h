#pragma once
// Ring records and packet headers by words: a_record().at("ip_rcv").with_packet(ip4().tcp(40512, 80)).

#include <linux/types.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/symbol.h"
#include "model/traced_program.h"
#include "trace_abi.h"

namespace skbtrail::test {

using PacketBytes = std::vector<std::uint8_t>;

inline void append16(PacketBytes& bytes, unsigned value) {
  bytes.push_back(static_cast<std::uint8_t>(value >> 8));
  bytes.push_back(static_cast<std::uint8_t>(value));
}

// What stands behind the IP header.
inline PacketBytes tcp(unsigned source, unsigned destination, std::uint8_t flags = 0x02) {
  PacketBytes bytes;
  append16(bytes, source);
  append16(bytes, destination);
  bytes.insert(bytes.end(), {0, 0, 0, 1, 0, 0, 0, 0, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0});
  return bytes;
}

inline PacketBytes ports(unsigned source, unsigned destination) {
  PacketBytes bytes;
  append16(bytes, source);
  append16(bytes, destination);
  bytes.insert(bytes.end(), {0, 8, 0, 0});
  return bytes;
}

inline PacketBytes icmp(std::uint8_t type, std::uint8_t code) {
  return {type, code, 0, 0, 0, 1, 0, 1};
}

// 10.9.0.1 -> 10.9.0.2; `options` are a multiple of four bytes, `fragment` is the field with its flags.
inline PacketBytes ip4(std::uint8_t protocol, const PacketBytes& transport, const PacketBytes& options = {},
                       unsigned fragment = 0) {
  const auto words = static_cast<std::uint8_t>(5 + options.size() / 4);
  PacketBytes bytes = {static_cast<std::uint8_t>(0x40 | words), 0};
  append16(bytes, static_cast<unsigned>(words * 4 + transport.size()));
  append16(bytes, 0x1234);
  append16(bytes, fragment);
  bytes.insert(bytes.end(), {64, protocol, 0, 0, 10, 9, 0, 1, 10, 9, 0, 2});
  bytes.insert(bytes.end(), options.begin(), options.end());
  bytes.insert(bytes.end(), transport.begin(), transport.end());
  return bytes;
}

// fd00::1 -> fd00::2
inline PacketBytes ip6(std::uint8_t next_header, const PacketBytes& rest) {
  PacketBytes bytes = {0x60, 0, 0, 0};
  append16(bytes, static_cast<unsigned>(rest.size()));
  bytes.insert(bytes.end(), {next_header, 64});
  for (const std::uint8_t last : {std::uint8_t{1}, std::uint8_t{2}}) {
    bytes.insert(bytes.end(), {0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
    bytes.push_back(last);
  }
  bytes.insert(bytes.end(), rest.begin(), rest.end());
  return bytes;
}

inline PacketBytes joined(std::initializer_list<PacketBytes> parts) {
  PacketBytes all;
  for (const auto& part : parts)
    all.insert(all.end(), part.begin(), part.end());
  return all;
}

class RecordBuilder {
public:
  RecordBuilder() {
    raw.type = TRACE_HOP;
    raw.size = sizeof(raw);
    raw.time_ns = 1'000'000'000;
    raw.head = 0xffff888105740000;
    raw.born_ns = 999'999'000;
    raw.skb = 0xffff88810574e700;
    raw.function = 0xffffffff81000000;
    raw.len = 84;
    raw.cpu = 1;
    raw.pid = 367;
    with_comm("ping");
  }

  RecordBuilder& at(std::uint64_t function) {
    raw.function = function;
    return *this;
  }
  RecordBuilder& with_comm(std::string_view comm) { return copy_text(raw.comm, comm); }
  RecordBuilder& on_device(std::uint32_t ifindex, std::string_view name, std::uint32_t mtu) {
    raw.flags |= TRACE_HAS_DEV;
    raw.ifindex = ifindex;
    raw.mtu = mtu;
    return copy_text(raw.ifname, name);
  }
  RecordBuilder& in_netns(std::uint32_t inum) {
    raw.flags |= TRACE_HAS_NETNS;
    raw.netns_inum = inum;
    return *this;
  }
  RecordBuilder& of_cgroup(std::uint64_t id) {
    raw.flags |= TRACE_HAS_CGROUP;
    raw.cgroup_id = id;
    return *this;
  }
  RecordBuilder& of_kernel_socket() {
    raw.flags |= TRACE_KERNEL_SOCKET;
    return *this;
  }
  RecordBuilder& with_packet(std::uint16_t protocol, const PacketBytes& bytes) {
    raw.flags |= TRACE_HAS_L3;
    raw.protocol = protocol;
    raw.l3_len = static_cast<std::uint16_t>(std::min<std::size_t>(bytes.size(), TRACE_L3_BYTES));
    std::memcpy(raw.l3, bytes.data(), raw.l3_len);
    return *this;
  }
  RecordBuilder& with_tcp(unsigned source, unsigned destination) {
    return with_packet(0x0800, ip4(6, tcp(source, destination)));
  }
  RecordBuilder& child_of(std::uint64_t head, std::uint64_t born_ns) {
    raw.flags |= TRACE_HAS_PARENT | TRACE_IS_CHILD;
    raw.parent_head = head;
    raw.parent_born = born_ns;
    return *this;
  }
  RecordBuilder& called_from(std::uint64_t caller) {
    raw.caller = caller;
    return *this;
  }
  // At its entry, or at its exit with a verdict.
  RecordBuilder& at_program(std::uint32_t id, std::optional<std::int32_t> verdict = std::nullopt) {
    raw.type = verdict ? TRACE_PROGRAM_EXIT : TRACE_PROGRAM_ENTRY;
    raw.program_id = id;
    raw.verdict = verdict.value_or(0);
    return at(0);
  }
  RecordBuilder& dropped() {
    raw.type = TRACE_DROP;
    return *this;
  }
  RecordBuilder& dropped_because(std::uint32_t reason) {
    raw.flags |= TRACE_HAS_REASON;
    raw.drop_reason = reason;
    return dropped();
  }
  RecordBuilder& with_stack(std::vector<std::uint64_t> addresses) {
    raw.flags |= TRACE_HAS_STACK;
    stack = std::move(addresses);
    raw.stack_len = static_cast<std::uint16_t>(stack.size() * sizeof(std::uint64_t));
    raw.size = static_cast<std::uint16_t>(raw.size + raw.stack_len);
    return *this;
  }

  // One bit in `valid` for each value that could be read.
  RecordBuilder& with_values(std::uint64_t valid, std::initializer_list<std::uint64_t> given) {
    raw.flags |= TRACE_HAS_VALUES;
    values.valid = valid;
    std::copy(given.begin(), given.end(), values.value);
    raw.size = static_cast<std::uint16_t>(raw.size + sizeof(values));
    return *this;
  }

  // `captured` in `room` bytes; `link`: they begin with the link header.
  RecordBuilder& with_bytes(const PacketBytes& captured, bool link, std::uint16_t room = 64) {
    raw.flags |= TRACE_HAS_BYTES;
    frame.room = room;
    frame.captured = static_cast<std::uint16_t>(captured.size());
    frame.length = static_cast<std::uint32_t>(captured.size());
    frame.has_link = link;
    frame_bytes = captured;
    frame_bytes.resize(room);
    raw.size = static_cast<std::uint16_t>(raw.size + sizeof(frame) + room);
    return *this;
  }
  // Copies of structs, each in a room of whole words.
  RecordBuilder& with_dump(const PacketBytes& skb, const PacketBytes& shared) {
    raw.flags |= TRACE_HAS_DUMP;
    const auto room = [](const PacketBytes& bytes) { return static_cast<std::uint16_t>((bytes.size() + 7) / 8 * 8); };
    dump = {.skb_room = room(skb),
            .skb_bytes = static_cast<std::uint16_t>(skb.size()),
            .shared_room = room(shared),
            .shared_bytes = static_cast<std::uint16_t>(shared.size())};
    dump_bytes = skb;
    dump_bytes.resize(dump.skb_room);
    dump_bytes.insert(dump_bytes.end(), shared.begin(), shared.end());
    dump_bytes.resize(std::size_t{dump.skb_room} + dump.shared_room);
    raw.size = static_cast<std::uint16_t>(raw.size + sizeof(dump) + dump_bytes.size());
    return *this;
  }
  // An operation on an element of map 7, 'flows', with keys of 4 and values of 8 bytes.
  RecordBuilder& with_map(trace_map_operation operation, const PacketBytes& key, const PacketBytes& value) {
    raw.flags |= TRACE_IS_CALL | TRACE_HAS_MAP | TRACE_BY_STACK;
    map.id = 7;
    map.operation = static_cast<__u8>(operation);
    map.found = !value.empty();
    map.key_size = 4;
    map.value_size = 8;
    map.key_bytes = static_cast<__u16>(key.size());
    map.value_bytes = static_cast<__u16>(value.size());
    std::copy(key.begin(), key.end(), map.key);
    std::copy(value.begin(), value.end(), map.value);
    copy_text(map.name, "flows");
    raw.size = static_cast<std::uint16_t>(raw.size + sizeof(map));
    return *this;
  }
  // A tag that the kernel carries beside the frame.
  RecordBuilder& tagged(std::uint16_t tci) {
    raw.flags |= TRACE_HAS_VLAN;
    raw.vlan_tci = tci;
    frame.vlan_proto = 0x8100;
    return *this;
  }

  std::vector<std::byte> bytes() const {
    std::vector<std::byte> all(sizeof(raw));
    std::memcpy(all.data(), &raw, sizeof(raw));
    const auto append = [&all](const void* from, std::size_t size) {
      const auto* const start = static_cast<const std::byte*>(from);
      all.insert(all.end(), start, start + size);
    };
    if (raw.flags & TRACE_HAS_VALUES)
      append(&values, sizeof(values));
    if (raw.flags & TRACE_HAS_BYTES) {
      append(&frame, sizeof(frame));
      append(frame_bytes.data(), frame_bytes.size());
    }
    if (raw.flags & TRACE_HAS_DUMP) {
      append(&dump, sizeof(dump));
      append(dump_bytes.data(), dump_bytes.size());
    }
    if (raw.flags & TRACE_HAS_MAP)
      append(&map, sizeof(map));
    append(stack.data(), stack.size() * sizeof(std::uint64_t));
    return all;
  }

  trace_record raw{};
  trace_values values{};
  trace_bytes frame{};
  PacketBytes frame_bytes;
  trace_dump dump{};
  PacketBytes dump_bytes;
  trace_map map{};
  std::vector<std::uint64_t> stack;

private:
  RecordBuilder& copy_text(char (&field)[16], std::string_view text) {
    std::memset(field, 0, sizeof(field));
    std::memcpy(field, text.data(), std::min(text.size(), sizeof(field)));
    return *this;
  }
};

inline RecordBuilder a_record() {
  return {};
}

// Knows the addresses it is told and counts what it is asked.
class FakeSymbols final : public SymbolResolver {
public:
  Symbol resolve(std::uint64_t address) const override {
    ++asked;
    const auto found = known.find(address);
    if (found != known.end())
      return found->second;
    char text[24];
    std::snprintf(text, sizeof(text), "0x%llx", static_cast<unsigned long long>(address));
    return {.name = text, .offset = 0, .module = {}};
  }

  std::map<std::uint64_t, Symbol> known;
  mutable int asked = 0;
};

// Knows a program of each kind.
class FakePrograms final : public TracedProgramNames {
public:
  const TracedProgram* lookup(std::uint32_t id) const override {
    for (const auto* program : {&known, &xdp})
      if (program->id == id)
        return program;
    return nullptr;
  }

  TracedProgram known{.id = 12, .kind = ProgramKind::Tc, .symbol = {.name = "to_host", .offset = 0, .module = "bpf"}};
  TracedProgram xdp{.id = 13, .kind = ProgramKind::Xdp, .symbol = {.name = "balance", .offset = 0, .module = "bpf"}};
};

class FakeReasons final : public DropReasonNames {
public:
  DropReasonName lookup(std::uint32_t reason) const override {
    ++asked;
    const auto found = known.find(reason);
    return found != known.end() ? found->second
                                : DropReasonName{.name = std::to_string(reason), .subsystem = "unknown"};
  }

  std::map<std::uint32_t, DropReasonName> known;
  mutable int asked = 0;
};

}  // namespace skbtrail::test
