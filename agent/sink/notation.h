#pragma once
// How the values of an event are written: addresses, symbols, flags, times. Shared by all text-like sinks.

#include <cstdint>
#include <string>
#include <string_view>

#include "model/packet_event.h"
#include "sink/text_buffer.h"

namespace skbtrail {

// "10.9.0.1", "fd00::1" (RFC 5952); nothing for an address of version 0.
void put_address(TextBuffer& out, const IpAddress& address);
std::string address_text(const IpAddress& address);

// "nf_hook_slow+0x9f", with " [nf_tables]" for a symbol of a module.
void put_symbol(TextBuffer& out, const Symbol& symbol);

// "ip_rcv"; of a BPF program "to_host [tc 12]" at its entry and "to_host [tc 12] TC_ACT_OK" when it has decided.
void put_place(TextBuffer& out, const PacketEvent& event);

// "TC_ACT_OK", or the number when it has no name.
void put_verdict(TextBuffer& out, ProgramKind kind, std::int32_t verdict);

// "tcp", "icmp6"; "proto-47" for what has no name; nothing without a transport.
void put_transport(TextBuffer& out, const Tuple& tuple);

// "SYN|ACK"; "none" without a flag.
void put_tcp_flags(TextBuffer& out, std::uint8_t flags);

// "echo request", or empty for a type that has no common name.
std::string_view icmp_name(L4 l4, std::uint8_t type);

// "10.9.0.1:40512->10.9.0.2:80(tcp)", "[fd00::1]:53->[fd00::2]:5353(udp)", "10.9.0.1->10.9.0.2(icmp echo request)".
void put_tuple(TextBuffer& out, const Tuple& tuple, bool with_tcp_flags);

// "-5", "17" or "0xffff888105741000"; nothing for a value that could not be read.
void put_value(TextBuffer& out, const FieldValue& value);

// "vxlan 9 10.1.0.1:4711->10.1.0.2:80(tcp)"
void put_tunnel(TextBuffer& out, const Tunnel& tunnel, bool with_tcp_flags);

// "590ns", "13.590us", "2.048ms", "1.500s".
void put_duration(TextBuffer& out, std::uint64_t nanoseconds);

// "2026-11-24T09:00:00" of a Unix time in seconds, and the digits behind it are the caller's. Days are computed once.
class DateText final {
public:
  explicit DateText(std::int64_t utc_offset_s = 0) : utc_offset_s_(utc_offset_s) {}
  std::string_view of(std::int64_t unix_seconds);

private:
  std::int64_t utc_offset_s_;
  std::int64_t shown_ = INT64_MIN;
  TextBuffer text_{32};
};

}  // namespace skbtrail
