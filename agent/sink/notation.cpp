#include "sink/notation.h"

#include <array>
#include <chrono>

namespace skbtrail {

namespace {

constexpr std::size_t kGroups = 8;
using Groups = std::array<std::uint16_t, kGroups>;

void put_ip(TextBuffer& out, const std::uint8_t* bytes) {
  for (int at = 0; at < 4; ++at) {
    if (at != 0)
      out.put('.');
    out.put_dec(bytes[at]);
  }
}

struct ZeroRun {
  std::size_t start = kGroups;
  std::size_t length = 0;
};

// The first of the longest runs of at least two zero groups: what "::" stands for.
ZeroRun longest_zero_run(const Groups& groups) {
  ZeroRun best{.length = 1};
  for (std::size_t start = 0; start < kGroups; ++start) {
    std::size_t end = start;
    while (end < kGroups && groups[end] == 0)
      ++end;
    if (end - start > best.length)
      best = {.start = start, .length = end - start};
    if (end > start)
      start = end;
  }
  return best;
}

void put_ip6(TextBuffer& out, const std::uint8_t* bytes) {
  Groups groups;
  for (std::size_t at = 0; at < kGroups; ++at)
    groups[at] = static_cast<std::uint16_t>(bytes[2 * at] << 8 | bytes[2 * at + 1]);
  const ZeroRun zeros = longest_zero_run(groups);
  if (zeros.start == 0 && zeros.length == 5 && groups[5] == 0xffff) {
    out.put("::ffff:");
    put_ip(out, bytes + 12);
    return;
  }
  for (std::size_t at = 0; at < kGroups; ++at) {
    if (at == zeros.start) {
      out.put("::");
      at += zeros.length - 1;
      continue;
    }
    if (at != 0 && at != zeros.start + zeros.length)
      out.put(':');
    out.put_hex(groups[at]);
  }
}

void put_end(TextBuffer& out, const IpAddress& address, const Tuple& tuple, std::uint16_t port) {
  const bool bracket = address.version == 6 && tuple.has_ports;
  if (bracket)
    out.put('[');
  put_address(out, address);
  if (bracket)
    out.put(']');
  if (!tuple.has_ports)
    return;
  out.put(':');
  out.put_dec(port);
}

void put_icmp(TextBuffer& out, const Tuple& tuple) {
  if (!tuple.icmp_type)
    return;
  out.put(' ');
  const std::string_view name = icmp_name(tuple.l4, *tuple.icmp_type);
  if (!name.empty())
    return out.put(name);
  out.put_dec(*tuple.icmp_type);
  out.put('/');
  out.put_dec(tuple.icmp_code.value_or(0));
}

}  // namespace

void put_address(TextBuffer& out, const IpAddress& address) {
  if (address.version == 4)
    put_ip(out, address.bytes);
  else if (address.version == 6)
    put_ip6(out, address.bytes);
}

std::string address_text(const IpAddress& address) {
  TextBuffer text{64};
  put_address(text, address);
  return std::string(text.view());
}

void put_symbol(TextBuffer& out, const Symbol& symbol) {
  out.put(symbol.name);
  if (symbol.offset != 0) {
    out.put("+0x");
    out.put_hex(symbol.offset);
  }
  if (!symbol.module.empty()) {
    out.put(" [");
    out.put(symbol.module);
    out.put(']');
  }
}

void put_verdict(TextBuffer& out, ProgramKind kind, std::int32_t verdict) {
  if (const auto name = verdict_name(kind, verdict))
    return out.put(*name);
  if (verdict < 0)
    out.put('-');
  out.put_dec(static_cast<std::uint64_t>(std::abs(std::int64_t{verdict})));
}

void put_place(TextBuffer& out, const PacketEvent& event) {
  if (!event.program)
    return put_symbol(out, *event.function);
  const TracedProgram& program = *event.program->program;
  out.put(program.symbol.name);
  out.put(" [");
  out.put(program_kind_name(program.kind));
  out.put(' ');
  out.put_dec(program.id);
  out.put(']');
  if (!event.program->verdict)
    return;
  out.put(' ');
  put_verdict(out, program.kind, *event.program->verdict);
}

void put_transport(TextBuffer& out, const Tuple& tuple) {
  switch (tuple.l4) {
    case L4::None: return;
    case L4::Tcp: return out.put("tcp");
    case L4::Udp: return out.put("udp");
    case L4::Icmp: return out.put("icmp");
    case L4::Icmp6: return out.put("icmp6");
    case L4::Sctp: return out.put("sctp");
    case L4::Other: break;
  }
  switch (tuple.next_header) {
    case 2: return out.put("igmp");
    case 4: return out.put("ipip");
    case 41: return out.put("ip6-in-ip");
    case 47: return out.put("gre");
    case 50: return out.put("esp");
    case 89: return out.put("ospf");
    case 112: return out.put("vrrp");
    case 136: return out.put("udplite");
    default: break;
  }
  out.put("proto-");
  out.put_dec(tuple.next_header);
}

void put_tcp_flags(TextBuffer& out, std::uint8_t flags) {
  static constexpr std::array<std::string_view, 8> kNames = {"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"};
  bool any = false;
  for (std::size_t bit = 0; bit < kNames.size(); ++bit) {
    if (!(flags & 1U << bit))
      continue;
    if (any)
      out.put('|');
    out.put(kNames[bit]);
    any = true;
  }
  if (!any)
    out.put("none");
}

void put_tuple(TextBuffer& out, const Tuple& tuple, bool with_tcp_flags) {
  put_end(out, tuple.source, tuple, tuple.source_port);
  out.put("->");
  put_end(out, tuple.destination, tuple, tuple.destination_port);
  if (tuple.l4 == L4::None)
    return;
  out.put('(');
  put_transport(out, tuple);
  put_icmp(out, tuple);
  if (with_tcp_flags && tuple.tcp_flags) {
    out.put(':');
    put_tcp_flags(out, *tuple.tcp_flags);
  }
  if (tuple.fragment)
    out.put(" fragment");
  out.put(')');
}

std::string_view icmp_name(L4 l4, std::uint8_t type) {
  if (l4 == L4::Icmp) {
    switch (type) {
      case 0: return "echo reply";
      case 3: return "unreachable";
      case 5: return "redirect";
      case 8: return "echo request";
      case 11: return "time exceeded";
      case 12: return "parameter problem";
      default: return {};
    }
  }
  switch (type) {
    case 1: return "unreachable";
    case 2: return "packet too big";
    case 3: return "time exceeded";
    case 4: return "parameter problem";
    case 128: return "echo request";
    case 129: return "echo reply";
    case 133: return "router solicitation";
    case 134: return "router advertisement";
    case 135: return "neighbour solicitation";
    case 136: return "neighbour advertisement";
    case 137: return "redirect";
    case 143: return "multicast report";
    default: return {};
  }
}

void put_value(TextBuffer& out, const FieldValue& value) {
  if (!value.value)
    return;
  switch (value.form->kind) {
    case ValueKind::Pointer: out.put("0x"); return out.put_hex(*value.value);
    case ValueKind::Unsigned: return out.put_dec(*value.value);
    case ValueKind::Signed: break;
  }
  const bool negative = *value.value >> 63 != 0;
  if (negative)
    out.put('-');
  out.put_dec(negative ? 0 - *value.value : *value.value);
}

void put_tunnel(TextBuffer& out, const Tunnel& tunnel, bool with_tcp_flags) {
  out.put(tunnel_name(tunnel.kind));
  if (tunnel.id) {
    out.put(' ');
    out.put_dec(*tunnel.id);
  }
  if (!tunnel.tuple)
    return;
  out.put(' ');
  put_tuple(out, *tunnel.tuple, with_tcp_flags);
}

void put_duration(TextBuffer& out, std::uint64_t nanoseconds) {
  struct Unit {
    std::uint64_t size;
    std::string_view name;
  };
  static constexpr Unit kUnits[] = {{1'000'000'000, "s"}, {1'000'000, "ms"}, {1'000, "us"}};
  for (const auto& [size, name] : kUnits) {
    if (nanoseconds < size)
      continue;
    out.put_dec(nanoseconds / size);
    out.put('.');
    out.put_dec(nanoseconds % size / (size / 1000), 3);
    return out.put(name);
  }
  out.put_dec(nanoseconds);
  out.put("ns");
}

std::string_view DateText::of(std::int64_t unix_seconds) {
  if (unix_seconds == shown_)
    return text_.view();
  using namespace std::chrono;
  const sys_seconds time{seconds(unix_seconds + utc_offset_s_)};
  const sys_days day = floor<days>(time);
  const year_month_day date{day};
  const auto within = static_cast<std::uint64_t>((time - day).count());
  text_.clear();
  text_.put_dec(static_cast<std::uint64_t>(static_cast<int>(date.year())), 4);
  text_.put('-');
  text_.put_dec(static_cast<unsigned>(date.month()), 2);
  text_.put('-');
  text_.put_dec(static_cast<unsigned>(date.day()), 2);
  text_.put('T');
  text_.put_dec(within / 3600, 2);
  text_.put(':');
  text_.put_dec(within / 60 % 60, 2);
  text_.put(':');
  text_.put_dec(within % 60, 2);
  shown_ = unix_seconds;
  return text_.view();
}

}  // namespace skbtrail
