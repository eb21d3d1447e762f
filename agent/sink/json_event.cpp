#include "sink/json_event.h"

#include <cstdlib>

#include "sink/dump_text.h"
#include "sink/json_text.h"
#include "sink/map_text.h"

namespace skbtrail {

namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

template <class Number>
void put_optional(TextBuffer& out, const std::optional<Number>& number) {
  if (number)
    out.put_dec(*number);
  else
    out.put("null");
}

void put_packet(TextBuffer& out, const PacketId& packet) {
  out.put('"');
  out.put_hex(packet.head, 16);
  out.put('-');
  out.put_hex(packet.born_ns, 16);
  out.put('"');
}

// "nf_hook_slow+0x9f [nf_tables]" as one string.
void put_symbol_string(TextBuffer& out, const Symbol& symbol) {
  const std::size_t start = out.size();
  out.put('"');
  put_symbol(out, symbol);
  if (is_plain_json(out.view().substr(start + 1))) [[likely]]
    return out.put('"');
  const std::string text(out.view().substr(start + 1));
  out.truncate(start);
  put_json_string(out, text);
}

void put_function(TextBuffer& out, const PacketEvent& event) {
  out.put(",\"func\":");
  put_json_name(out, event.function ? std::string_view(event.function->name) : std::string_view());
  out.put(",\"offset\":");
  if (event.function)
    out.put_dec(event.function->offset);
  else
    out.put("null");
  out.put(",\"module\":");
  put_json_name(out, event.function ? std::string_view(event.function->module) : std::string_view());
  out.put(",\"caller\":");
  if (event.caller)
    put_symbol_string(out, *event.caller);
  else
    out.put("null");
}

void put_address_string(TextBuffer& out, const IpAddress& address) {
  if (address.version == 0)
    return out.put("null");
  out.put('"');
  put_address(out, address);
  out.put('"');
}

void put_ports(TextBuffer& out, const Tuple& tuple) {
  if (!tuple.has_ports)
    return out.put(",\"sport\":null,\"dport\":null");
  out.put(",\"sport\":");
  out.put_dec(tuple.source_port);
  out.put(",\"dport\":");
  out.put_dec(tuple.destination_port);
}

void put_l4(TextBuffer& out, const Tuple& tuple) {
  out.put(",\"l4\":");
  if (tuple.l4 == L4::None)
    return out.put("null");
  out.put('"');
  put_transport(out, tuple);
  out.put('"');
}

void put_tuple(TextBuffer& out, const Tuple& tuple) {
  out.put("{\"saddr\":");
  put_address_string(out, tuple.source);
  out.put(",\"daddr\":");
  put_address_string(out, tuple.destination);
  put_ports(out, tuple);
  put_l4(out, tuple);
  out.put(",\"tcp_flags\":");
  if (tuple.tcp_flags) {
    out.put('"');
    put_tcp_flags(out, *tuple.tcp_flags);
    out.put('"');
  } else {
    out.put("null");
  }
  if (tuple.icmp_type) {
    out.put(",\"icmp_type\":");
    out.put_dec(*tuple.icmp_type);
    out.put(",\"icmp_code\":");
    put_optional(out, tuple.icmp_code);
  }
  if (tuple.fragment)
    out.put(",\"fragment\":true");
  out.put('}');
}

void put_drop(TextBuffer& out, const PacketEvent& event) {
  const DropReasonName* const name = event.drop->name;
  out.put("{\"reason\":");
  put_json_name(out, name ? std::string_view(name->name) : std::string_view());
  out.put(",\"subsystem\":");
  put_json_name(out, name ? std::string_view(name->subsystem) : std::string_view());
  out.put(",\"location\":");
  if (event.function)
    put_symbol_string(out, *event.function);
  else
    out.put("null");
  out.put('}');
}

void put_stack(TextBuffer& out, const PacketEvent& event) {
  if (event.stack.empty())
    return out.put("null");
  char before = '[';
  for (const Symbol* frame : event.stack) {
    out.put(before);
    put_symbol_string(out, *frame);
    before = ',';
  }
  out.put(']');
}

std::string_view name_of(TrackedBy how) {
  switch (how) {
    case TrackedBy::Filter: return "filter";
    case TrackedBy::Skb: return "skb";
    case TrackedBy::Xdp: return "xdp";
    case TrackedBy::Stack: return "stack";
  }
  std::abort();
}

void put_skb(TextBuffer& out, std::uint64_t skb) {
  if (skb == 0)
    return out.put(",\"skb\":null");
  out.put(",\"skb\":\"0x");
  out.put_hex(skb);
  out.put('"');
}

void put_packets(TextBuffer& out, const PacketEvent& event) {
  out.put(",\"packet\":");
  put_packet(out, event.packet);
  put_skb(out, event.skb);
  out.put(",\"parent\":");
  if (event.parent)
    put_packet(out, *event.parent);
  else
    out.put("null");
}

// {"namespace":"shop","name":"web-0" and no end.
void put_pod_name(TextBuffer& out, const Pod& pod) {
  out.put("{\"namespace\":");
  put_json_string(out, pod.namespace_name);
  out.put(",\"name\":");
  put_json_string(out, pod.name);
}

void put_pod(TextBuffer& out, const PodAt& at) {
  if (!at.pod)
    return;
  out.put(",\"pod\":");
  put_pod_name(out, *at.pod);
  out.put(",\"uid\":");
  put_json_name(out, at.pod->uid);
  out.put(at.side == PodSide::Inside ? std::string_view(",\"side\":\"inside\"}")
                                     : std::string_view(",\"side\":\"host\"}"));
}

void put_end(TextBuffer& out, std::string_view key, const Pod* pod) {
  if (!pod)
    return;
  out.put(key);
  put_pod_name(out, *pod);
  out.put('}');
}

void put_program(TextBuffer& out, const ProgramStep& step) {
  out.put(",\"program\":{\"type\":\"");
  out.put(program_kind_name(step.program->kind));
  out.put("\",\"id\":");
  out.put_dec(step.program->id);
  out.put(",\"verdict\":");
  if (step.verdict) {
    out.put('"');
    put_verdict(out, step.program->kind, *step.verdict);
    out.put('"');
  } else {
    out.put("null");
  }
  out.put('}');
}

void put_bytes_string(TextBuffer& out, std::string_view key, std::span<const std::uint8_t> bytes) {
  out.put(key);
  if (bytes.empty())
    return out.put("null");
  out.put('"');
  put_map_bytes(out, bytes);
  out.put('"');
}

void put_map(TextBuffer& out, const MapAccess& access) {
  out.put(",\"map\":{\"id\":");
  out.put_dec(access.id);
  out.put(",\"name\":");
  put_json_name(out, access.name.view());
  out.put(",\"operation\":\"");
  out.put(map_operation_name(access.operation));
  out.put("\",\"key_size\":");
  out.put_dec(access.key_size);
  put_bytes_string(out, ",\"key\":", access.key);
  out.put(",\"value_size\":");
  out.put_dec(access.value_size);
  put_bytes_string(out, ",\"value\":", access.value);
  if (looks_up(access.operation))
    out.put(access.found ? std::string_view(",\"found\":true") : std::string_view(",\"found\":false"));
  out.put('}');
}

void put_place_fields(TextBuffer& out, const PacketEvent& event) {
  out.put(",\"comm\":");
  put_json_name(out, event.comm.view());
  out.put(",\"netns\":");
  put_optional(out, event.netns);
  if (!event.netns_name.empty()) {
    out.put(",\"netns_name\":");
    put_json_string(out, event.netns_name);
  }
  if (event.netns_cookie) {
    out.put(",\"netns_cookie\":");
    out.put_dec(*event.netns_cookie);
  }
  if (event.cgroup_id) {
    out.put(",\"cgroup_id\":");
    out.put_dec(*event.cgroup_id);
  }
  if (event.of_kernel_socket)
    out.put(",\"kernel_socket\":true");
  out.put(",\"ifindex\":");
  put_optional(out, event.ifindex);
  out.put(",\"ifname\":");
  put_json_name(out, event.ifname.view());
}

// What only an event with a packet at hand knows.
std::optional<std::uint32_t> of_packet(const PacketEvent& event, std::uint32_t value) {
  return event.is_call ? std::nullopt : std::optional(value);
}

void put_meta(TextBuffer& out, const PacketEvent& event) {
  out.put(",\"mark\":");
  put_optional(out, of_packet(event, event.mark));
  out.put(",\"proto\":");
  put_optional(out, event.protocol != 0 ? std::optional(event.protocol) : std::nullopt);
  out.put(",\"mtu\":");
  put_optional(out, event.mtu);
  out.put(",\"len\":");
  put_optional(out, of_packet(event, event.length));
  if (event.vlan) {
    out.put(",\"vlan\":");
    out.put_dec(*event.vlan);
  }
}

// An address is a string: as a number it would lose digits in most readers.
void put_json_value(TextBuffer& out, const FieldValue& value) {
  const bool quoted = value.value && value.form->kind == ValueKind::Pointer;
  if (!value.value)
    return out.put("null");
  if (quoted)
    out.put('"');
  put_value(out, value);
  if (quoted)
    out.put('"');
}

void put_values(TextBuffer& out, const PacketEvent& event) {
  if (event.values.empty())
    return;
  out.put(",\"metadata\":");
  char before = '{';
  for (const FieldValue& value : event.values) {
    out.put(before);
    put_json_string(out, value.form->name);
    out.put(':');
    put_json_value(out, value);
    before = ',';
  }
  out.put('}');
}

void put_dump_string(TextBuffer& out, std::string_view key, const Dump& dump) {
  if (!dump.form)
    return;
  out.put(key);
  if (dump.bytes.empty())
    return out.put("null");
  out.put('"');
  put_dump(out, dump);  // names of C and numbers: nothing that JSON would escape
  out.put('"');
}

void put_dumps(TextBuffer& out, const PacketEvent& event) {
  if (event.control_words) {
    out.put(",\"cb\":");
    char before = '[';
    for (const std::uint32_t word : *event.control_words) {
      out.put(before);
      out.put_dec(word);
      before = ',';
    }
    out.put(']');
  }
  put_dump_string(out, ",\"sk_buff\":", event.skb_dump);
  put_dump_string(out, ",\"skb_shared_info\":", event.shared_dump);
}

void put_tunnel_object(TextBuffer& out, const PacketEvent& event) {
  if (!event.tunnel)
    return;
  out.put(",\"tunnel\":{\"type\":\"");
  out.put(tunnel_name(event.tunnel->kind));
  out.put("\",\"id\":");
  put_optional(out, event.tunnel->id);
  out.put(",\"tuple\":");
  if (event.tunnel->tuple)
    put_tuple(out, *event.tunnel->tuple);
  else
    out.put("null");
  out.put('}');
}

std::string_view name_of(LossCause cause) {
  switch (cause) {
    case LossCause::Ring: return "ring";
    case LossCause::Tracking: return "tracking";
    case LossCause::Budget: return "budget";
  }
  std::abort();
}

}  // namespace

JsonEvent::JsonEvent(const JsonOptions& options) {
  TextBuffer origin;
  origin.put(",\"node\":");
  put_json_name(origin, options.node);
  origin.put(",\"session\":");
  put_json_name(origin, options.session);
  origin_ = origin.view();
}

void JsonEvent::put(TextBuffer& out, const PacketEvent& event) {
  put_time(out, event.realtime_ns);
  out.put(event.drop ? std::string_view("\"drop\"") : std::string_view("\"hop\""));
  out.put(origin_);
  put_identity(out, event);
  put_function(out, event);
  if (event.program)
    put_program(out, *event.program);
  if (event.map)
    put_map(out, *event.map);
  put_context(out, event);
  put_meta(out, event);
  put_tunnel_object(out, event);
  put_values(out, event);
  put_dumps(out, event);
  put_outcome(out, event);
  out.put('}');
}

void JsonEvent::put_identity(TextBuffer& out, const PacketEvent& event) {
  out.put(",\"seq\":");
  out.put_dec(event.sequence);
  identity_.put(out, {.packet = event.packet, .skb = event.skb, .parent = event.parent},
                [&] { put_packets(out, event); });
  if (event.first)
    out.put(",\"first\":true");
  out.put(",\"tracked_by\":\"");
  out.put(name_of(event.tracked_by));
  out.put('"');
}

void JsonEvent::put_context(TextBuffer& out, const PacketEvent& event) {
  out.put(",\"cpu\":");
  out.put_dec(event.cpu);
  out.put(",\"pid\":");
  out.put_dec(event.pid);
  // A namespace may get another name meanwhile, as a pod may.
  if (event.netns_name.empty()) {
    const Place place{.comm = event.comm,
                      .netns = event.netns,
                      .netns_cookie = event.netns_cookie,
                      .cgroup_id = event.cgroup_id,
                      .of_kernel_socket = event.of_kernel_socket,
                      .ifindex = event.ifindex,
                      .ifname = event.ifname};
    place_.put(out, place, [&] { put_place_fields(out, event); });
  } else {
    put_place_fields(out, event);
  }
  put_pod(out, event.pod);
}

void JsonEvent::put_outcome(TextBuffer& out, const PacketEvent& event) {
  out.put(",\"tuple\":");
  if (event.tuple)
    tuple_.put(out, *event.tuple, [&] { put_tuple(out, *event.tuple); });
  else
    out.put("null");
  put_end(out, ",\"src\":", event.source_pod);
  put_end(out, ",\"dst\":", event.destination_pod);
  out.put(",\"drop\":");
  if (event.drop)
    put_drop(out, event);
  else
    out.put("null");
  out.put(",\"stack\":");
  put_stack(out, event);
  out.put(",\"delta_ns\":");
  put_optional(out, event.delta_ns);
}

void JsonEvent::put(TextBuffer& out, const LossEvent& loss) {
  put_loss(out, loss.realtime_ns, name_of(loss.cause), loss.count);
}

void JsonEvent::put_loss(TextBuffer& out, std::uint64_t realtime_ns, std::string_view cause, std::uint64_t count) {
  put_start(out, realtime_ns, "loss");
  out.put(",\"cause\":");
  put_json_string(out, cause);
  out.put(",\"count\":");
  out.put_dec(count);
  out.put('}');
}

void JsonEvent::put_start(TextBuffer& out, std::uint64_t realtime_ns, std::string_view type) {
  put_time(out, realtime_ns);
  put_json_string(out, type);
  out.put(origin_);
}

void JsonEvent::put_time(TextBuffer& out, std::uint64_t realtime_ns) {
  out.put("{\"ts\":\"");
  out.put(date_.of(static_cast<std::int64_t>(realtime_ns / kSecond)));
  out.put('.');
  out.put_dec(realtime_ns % kSecond, 9);
  out.put("Z\",\"type\":");
}

}  // namespace skbtrail
