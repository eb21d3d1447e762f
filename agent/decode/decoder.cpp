#include "decode/decoder.h"

#include <linux/types.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "decode/packet_headers.h"
#include "decode/tunnel_headers.h"
#include "trace_abi.h"

namespace skbtrail {

namespace {

using Bytes = std::span<const std::byte>;

Error broken(const std::string& what) {
  return refuse(EBADMSG, "decode record: " + what);
}

std::size_t values_bytes(const trace_record& raw) {
  return raw.flags & TRACE_HAS_VALUES ? sizeof(trace_values) : 0;
}

// Behind the record and its values; its first half says how much.
Result<trace_bytes> read_bytes_head(const trace_record& raw, Bytes behind) {
  trace_bytes head{};
  if (!(raw.flags & TRACE_HAS_BYTES))
    return head;
  if (behind.size() < sizeof(head))
    return broken("the head of its packet bytes ends behind it");
  std::memcpy(&head, behind.data(), sizeof(head));
  if (head.room > behind.size() - sizeof(head) || head.captured > head.room)
    return broken("its " + std::to_string(head.captured) + " packet bytes of " + std::to_string(head.room) +
                  " end behind it");
  return head;
}

// Copies of structs, as far as they could be read.
struct DumpBytes {
  Bytes skb;
  Bytes shared;
  std::size_t whole = 0;  // with its head
};

Result<DumpBytes> read_dump_bytes(const trace_record& raw, Bytes behind) {
  if (!(raw.flags & TRACE_HAS_DUMP))
    return DumpBytes{};
  trace_dump head{};
  if (behind.size() < sizeof(head))
    return broken("the head of its dump ends behind it");
  std::memcpy(&head, behind.data(), sizeof(head));
  const std::size_t room = std::size_t{head.skb_room} + head.shared_room;
  if (room > behind.size() - sizeof(head) || head.skb_bytes > head.skb_room || head.shared_bytes > head.shared_room)
    return broken("its dump of " + std::to_string(room) + " bytes ends behind it");
  const Bytes copies = behind.subspan(sizeof(head), room);
  return DumpBytes{.skb = copies.first(head.skb_bytes),
                   .shared = copies.subspan(head.skb_room, head.shared_bytes),
                   .whole = sizeof(head) + room};
}

std::string_view text_of(const char (&bytes)[16]) {
  return {bytes, sizeof(bytes)};
}

static_assert(static_cast<int>(MapOperation::Delete) == TRACE_MAP_DELETE);
constexpr std::uint32_t kMapFlags = TRACE_IS_CALL | TRACE_HAS_MAP;

// Whole bytes of what stands in front of it.
Result<std::size_t> read_map(const trace_record& raw, Bytes behind, PacketEvent& event) {
  event.map.reset();
  if (!(raw.flags & TRACE_HAS_MAP))
    return std::size_t{0};
  trace_map map;
  if ((raw.flags & kMapFlags) != kMapFlags || behind.size() < sizeof(map))
    return broken("what it says of a map ends behind it");
  std::memcpy(&map, behind.data(), sizeof(map));
  if (map.operation < TRACE_MAP_LOOKUP || map.operation > TRACE_MAP_DELETE)
    return broken("unknown operation " + std::to_string(map.operation) + " on a map");
  if (map.key_bytes > TRACE_MAP_BYTES || map.value_bytes > TRACE_MAP_BYTES)
    return broken("a key of " + std::to_string(map.key_bytes) + " and a value of " + std::to_string(map.value_bytes) +
                  " bytes, of at most " + std::to_string(TRACE_MAP_BYTES));
  event.map = MapAccess{
      .id = map.id,
      .name = ShortText(text_of(map.name)),
      .operation = static_cast<MapOperation>(map.operation),
      .found = map.found != 0,
      .key_size = map.key_size,
      .value_size = map.value_size,
      .key = {map.key, map.key + map.key_bytes},
      .value = {map.value, map.value + map.value_bytes},
  };
  return sizeof(map);
}

void append16(std::vector<std::uint8_t>& bytes, unsigned value) {
  bytes.push_back(static_cast<std::uint8_t>(value >> 8));
  bytes.push_back(static_cast<std::uint8_t>(value));
}

constexpr std::size_t kMacBytes = 12;

void read_frame(const trace_record& raw, const trace_bytes& head, Bytes captured, Frame& frame) {
  frame.bytes.clear();
  frame.length = 0;
  if (captured.empty())
    return;
  const auto* const data = reinterpret_cast<const std::uint8_t*>(captured.data());
  const std::size_t macs = head.has_link ? std::min(captured.size(), kMacBytes) : 0;
  frame.bytes.assign(data, data + macs);
  frame.bytes.resize(head.has_link ? macs : kMacBytes);
  if (head.vlan_proto != 0) {
    append16(frame.bytes, head.vlan_proto);
    append16(frame.bytes, raw.vlan_tci);
  }
  if (!head.has_link)
    append16(frame.bytes, raw.protocol);
  frame.bytes.insert(frame.bytes.end(), data + macs, data + captured.size());
  const std::size_t added = frame.bytes.size() - captured.size();
  frame.length = static_cast<std::uint32_t>(std::max<std::size_t>(head.length + added, frame.bytes.size()));
}

Result<> check_layout(const trace_record& raw, std::size_t size) {
  if (raw.size != size)
    return broken("it says " + std::to_string(raw.size) + " bytes and has " + std::to_string(size));
  if (raw.type < TRACE_HOP || raw.type > TRACE_PROGRAM_EXIT)
    return broken("unknown type " + std::to_string(raw.type));
  if (raw.l3_len > TRACE_L3_BYTES)
    return broken("it claims " + std::to_string(raw.l3_len) + " packet bytes of at most " +
                  std::to_string(TRACE_L3_BYTES));
  if (raw.stack_len % sizeof(std::uint64_t) != 0)
    return broken("its stack of " + std::to_string(raw.stack_len) + " bytes is not a list of addresses");
  if (values_bytes(raw) > size - sizeof(raw))
    return broken("its values end behind it");
  return {};
}

TrackedBy tracked_by(std::uint32_t flags) {
  if (flags & TRACE_FIRST)
    return TrackedBy::Filter;
  if (flags & TRACE_BY_STACK)
    return TrackedBy::Stack;
  return flags & TRACE_BY_XDP ? TrackedBy::Xdp : TrackedBy::Skb;
}

template <class T>
std::optional<T> known(const trace_record& raw, trace_record_flags flag, T value) {
  return raw.flags & flag ? std::optional<T>(value) : std::nullopt;
}

void read_device(const trace_record& raw, PacketEvent& event) {
  event.ifindex = known(raw, TRACE_HAS_DEV, raw.ifindex);
  event.mtu = known(raw, TRACE_HAS_DEV, raw.mtu);
  event.ifname = raw.flags & TRACE_HAS_DEV ? ShortText(text_of(raw.ifname)) : ShortText();
  event.netns = known(raw, TRACE_HAS_NETNS, raw.netns_inum);
  event.netns_cookie = known(raw, TRACE_HAS_COOKIE, raw.netns_cookie);
  event.cgroup_id = known(raw, TRACE_HAS_CGROUP, raw.cgroup_id);
  event.of_kernel_socket = (raw.flags & TRACE_KERNEL_SOCKET) != 0;
}

void read_packet(const trace_record& raw, PacketEvent& event) {
  event.packet = {.head = raw.head, .born_ns = raw.born_ns};
  event.parent = known(raw, TRACE_HAS_PARENT, PacketId{.head = raw.parent_head, .born_ns = raw.parent_born});
  event.skb = raw.skb;
  event.is_call = (raw.flags & TRACE_IS_CALL) != 0;
  event.mark = raw.mark;
  event.protocol = raw.protocol;
  event.length = raw.len;
  event.vlan = known(raw, TRACE_HAS_VLAN, static_cast<std::uint16_t>(raw.vlan_tci & 0x0fff));
  event.tuple.reset();
  if (!(raw.flags & TRACE_HAS_L3))
    return;
  const PacketHeaders headers = decode_headers(raw.protocol, {raw.l3, raw.l3_len});
  event.tuple = headers.tuple;
  if (!event.vlan)
    event.vlan = headers.vlan;
}

}  // namespace

Result<> Decoder::decode(Bytes record, PacketEvent& event) {
  trace_record raw;
  if (record.size() < sizeof(raw))
    return broken(std::to_string(record.size()) + " bytes are too few, " + std::to_string(sizeof(raw)) + " are needed");
  std::memcpy(&raw, record.data(), sizeof(raw));
  if (auto checked = check_layout(raw, record.size()); !checked)
    return checked;
  const Bytes values = record.subspan(sizeof(raw), values_bytes(raw));
  Bytes behind = record.subspan(sizeof(raw) + values.size());
  const trace_bytes head = TRY(read_bytes_head(raw, behind));
  Bytes captured;
  if (raw.flags & TRACE_HAS_BYTES) {
    captured = behind.subspan(sizeof(head), head.captured);
    behind = behind.subspan(sizeof(head) + head.room);
  }
  const DumpBytes dump = TRY(read_dump_bytes(raw, behind));
  behind = behind.subspan(dump.whole);
  behind = behind.subspan(TRY(read_map(raw, behind, event)));
  if (raw.stack_len > behind.size())
    return broken("its stack of " + std::to_string(raw.stack_len) + " bytes ends behind it");

  forget_when_full();
  event.monotonic_ns = raw.time_ns;
  event.realtime_ns = raw.time_ns + static_cast<std::uint64_t>(realtime_offset_ns_);
  event.first = raw.flags & TRACE_FIRST;
  event.tracked_by = tracked_by(raw.flags);
  event.cpu = raw.cpu;
  event.pid = raw.pid;
  event.comm = ShortText(text_of(raw.comm));
  read_packet(raw, event);
  read_device(raw, event);

  TRY(read_place(raw, event));
  event.type = raw.type == TRACE_DROP ? EventType::Drop : EventType::Hop;
  event.drop.reset();
  if (event.type == EventType::Drop)
    event.drop = drop_of(known(raw, TRACE_HAS_REASON, raw.drop_reason));
  read_values(values, raw.flags & TRACE_IS_FRAME ? xdp_forms_ : forms_, event);
  read_dump(dump.skb, dump.shared, event);
  read_frame(raw, head, captured, event.frame);
  event.tunnel = tunnels_ ? decode_tunnel(event.frame.bytes) : std::nullopt;
  read_stack(raw.flags & TRACE_HAS_STACK ? behind.first(raw.stack_len) : Bytes{}, event);
  return {};
}

void Decoder::read_dump(const Bytes& skb, const Bytes& shared, PacketEvent& event) const {
  const auto fill = [](Dump& dump, const std::optional<DumpForm>& form, Bytes bytes) {
    const auto* const data = reinterpret_cast<const std::uint8_t*>(bytes.data());
    dump.form = form ? &*form : nullptr;
    dump.bytes.assign(data, data + (form ? bytes.size() : 0));
  };
  fill(event.skb_dump, dumps_.skb, skb);
  fill(event.shared_dump, dumps_.shared, shared);
  event.control_words.reset();
  if (!dumps_.control_words || skb.size() < *dumps_.control_words + sizeof(ControlWords))
    return;
  std::memcpy(&event.control_words.emplace(), skb.data() + *dumps_.control_words, sizeof(ControlWords));
}

Result<> Decoder::read_place(const trace_record& raw, PacketEvent& event) {
  event.program.reset();
  event.caller = raw.caller != 0 ? symbol(raw.caller) : nullptr;
  event.function_address = raw.function;
  if (raw.type != TRACE_PROGRAM_ENTRY && raw.type != TRACE_PROGRAM_EXIT) {
    event.function = symbol(raw.function);
    return {};
  }
  const TracedProgram* program = programs_ ? programs_->lookup(raw.program_id) : nullptr;
  if (!program)
    return broken("it names BPF program " + std::to_string(raw.program_id) + ", which is not traced");
  event.function = &program->symbol;
  event.program = {.program = program,
                   .verdict = raw.type == TRACE_PROGRAM_EXIT ? std::optional(raw.verdict) : std::nullopt};
  return {};
}

void Decoder::read_values(Bytes bytes, const std::vector<ValueForm>& forms, PacketEvent& event) {
  event.values.clear();
  if (bytes.empty())
    return;
  trace_values raw;
  std::memcpy(&raw, bytes.data(), sizeof(raw));
  for (std::size_t at = 0; at < forms.size() && at < TRACE_VALUES; ++at) {
    const bool valid = raw.valid >> at & 1;
    event.values.push_back(
        {.form = &forms[at], .value = valid ? std::optional<std::uint64_t>(raw.value[at]) : std::nullopt});
  }
}

Drop Decoder::drop_of(std::optional<std::uint32_t> reason) {
  return {.reason = reason, .name = reason ? reason_name(*reason) : nullptr};
}

void Decoder::read_stack(Bytes addresses, PacketEvent& event) {
  event.stack.clear();
  for (; !addresses.empty(); addresses = addresses.subspan(sizeof(std::uint64_t))) {
    std::uint64_t address = 0;
    std::memcpy(&address, addresses.data(), sizeof(address));
    if (address != 0)
      event.stack.push_back(symbol(address));
  }
}

const Symbol* Decoder::symbol(std::uint64_t address) {
  const auto found = symbols_.find(address);
  if (found != symbols_.end()) [[likely]]
    return &found->second;
  return &symbols_.emplace(address, resolver_.resolve(address)).first->second;
}

const DropReasonName* Decoder::reason_name(std::uint32_t reason) {
  const auto found = reasons_.find(reason);
  if (found != reasons_.end()) [[likely]]
    return &found->second;
  return &reasons_.emplace(reason, reason_names_.lookup(reason)).first->second;
}

// Only between two records: the names of the last event die here.
void Decoder::forget_when_full() {
  if (symbols_.size() >= kMaxNames)
    symbols_.clear();
  if (reasons_.size() >= kMaxNames)
    reasons_.clear();
}

}  // namespace skbtrail
