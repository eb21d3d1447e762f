#pragma once
// PacketEvent: one decoded fact about one packet. Every sink reads it, none changes it.
// Symbols and reason names are borrowed from the decoder and live until it decodes the next record, pods from the index
// that named them: a sink that keeps one copies it.

#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <vector>

#include "model/dump_form.h"
#include "model/map_access.h"
#include "model/pod.h"
#include "model/short_text.h"
#include "model/symbol.h"
#include "model/traced_program.h"
#include "model/value_form.h"

namespace skbtrail {

// Identity of a packet: skb->head when it was first seen, and when that was (CLOCK_MONOTONIC ns).
// Clones share it; copies, segments and fragments have their own and name their parent.
struct PacketId {
  std::uint64_t head = 0;
  std::uint64_t born_ns = 0;
  friend bool operator==(const PacketId&, const PacketId&) = default;
};

// Addresses as text-free bytes in network order; IPv4 uses the first four.
struct IpAddress {
  std::uint8_t version = 0;  // 4, 6, or 0: no address
  std::uint8_t bytes[16] = {};
  friend bool operator==(const IpAddress&, const IpAddress&) = default;
};

enum class L4 : std::uint8_t { None, Tcp, Udp, Icmp, Icmp6, Sctp, Other };

// What the innermost decoded headers say. `next_header` is the IP protocol number of the transport.
struct Tuple {
  IpAddress source;
  IpAddress destination;
  L4 l4 = L4::None;
  std::uint8_t next_header = 0;
  bool has_ports = false;         // TCP, UDP, SCTP, first fragment only
  std::uint16_t source_port = 0;  // host order
  std::uint16_t destination_port = 0;
  std::optional<std::uint8_t> tcp_flags = std::nullopt;
  std::optional<std::uint8_t> icmp_type = std::nullopt;
  std::optional<std::uint8_t> icmp_code = std::nullopt;
  bool fragment = false;  // any fragment, also the first
  friend bool operator==(const Tuple&, const Tuple&) = default;
};

// Named by what is carried in what: Ip6InIp is IPv6 inside of IPv4, which Linux calls sit.
enum class TunnelKind : std::uint8_t { Vxlan, Geneve, Gre, IpInIp, Ip6InIp, IpInIp6, Ip6InIp6 };

constexpr std::string_view tunnel_name(TunnelKind kind) {
  switch (kind) {
    case TunnelKind::Vxlan: return "vxlan";
    case TunnelKind::Geneve: return "geneve";
    case TunnelKind::Gre: return "gre";
    case TunnelKind::IpInIp: return "ipip";
    case TunnelKind::Ip6InIp: return "sit";
    case TunnelKind::IpInIp6: return "ip4ip6";
    case TunnelKind::Ip6InIp6: return "ip6ip6";
  }
  std::abort();
}

// What a packet carries when its outermost headers are those of a tunnel.
struct Tunnel {
  TunnelKind kind = TunnelKind::Vxlan;
  std::optional<std::uint32_t> id = std::nullopt;  // VNI of VXLAN and Geneve, key of GRE
  std::optional<Tuple> tuple = std::nullopt;       // of the inner packet; absent: not IP or ARP, or cut off
  friend bool operator==(const Tunnel&, const Tunnel&) = default;
};

struct Drop {
  std::optional<std::uint32_t> reason = std::nullopt;  // raw value; absent on kernels before 5.17
  const DropReasonName* name = nullptr;                // null when `reason` is absent
};

// What a field expression gave at this hit.
struct FieldValue {
  const ValueForm* form = nullptr;                    // never null in a decoded event
  std::optional<std::uint64_t> value = std::nullopt;  // absent: it could not be read
};

// The packet as a frame on an Ethernet. Where the kernel has no link header yet (or no longer), its addresses are
// zeros; a VLAN tag that the kernel keeps beside the frame is in it.
struct Frame {
  std::vector<std::uint8_t> bytes = {};  // what was captured of it
  std::uint32_t length = 0;              // all of it, at least bytes.size()
};

enum class EventType : std::uint8_t { Hop, Drop };

// Why this event is there: the filter matched here, the packet is known by its data, it is known from an XDP program
// that had it before it had an skb, or a followed packet was being handled on the stack where this happened.
enum class TrackedBy : std::uint8_t { Filter, Skb, Xdp, Stack };

// A BPF program that was handed the packet, or has decided about it.
struct ProgramStep {
  const TracedProgram* program = nullptr;              // never null in a decoded event
  std::optional<std::int32_t> verdict = std::nullopt;  // what it returned; absent at its entry
};

struct PacketEvent {
  EventType type = EventType::Hop;
  std::uint64_t sequence = 0;  // of this session, from 1
  std::uint64_t monotonic_ns = 0;
  std::uint64_t realtime_ns = 0;          // since the Unix epoch
  std::optional<std::uint64_t> delta_ns;  // since this packet's previous event
  PacketId packet;
  std::optional<PacketId> parent;
  std::uint64_t skb = 0;  // 0: an XDP program has the packet, it has no skb yet; or is_call
  bool is_call = false;   // of a function that takes no packet: the packet is only known, nothing of it is told
  bool first = false;     // the filter matched here
  TrackedBy tracked_by = TrackedBy::Skb;
  std::uint64_t function_address = 0;
  // Never null in a decoded event. Of a drop: where kfree_skb was called; of a BPF program: its name.
  const Symbol* function = nullptr;
  const Symbol* caller = nullptr;  // null: not asked for
  std::uint32_t cpu = 0;
  std::uint32_t pid = 0;
  ShortText comm;
  std::optional<std::uint32_t> netns;
  std::string_view netns_name = {};  // empty: not asked for or none; the session's to fill, good until the next event
  std::optional<std::uint64_t> netns_cookie;
  std::optional<std::uint64_t> cgroup_id;  // of the packet's socket, in cgroup2
  bool of_kernel_socket = false;           // that the kernel made for itself, as for a mount of NFS
  std::optional<std::uint32_t> ifindex;
  ShortText ifname;  // empty: unknown
  std::optional<std::uint32_t> mtu;
  std::uint32_t mark = 0;
  std::uint16_t protocol = 0;         // EtherType, host order; 0: the kernel has not set it yet
  std::uint32_t length = 0;           // bytes
  std::optional<std::uint16_t> vlan;  // VLAN id, 0 to 4095
  std::optional<Tuple> tuple;
  std::optional<Tunnel> tunnel;     // only where tunnels were asked for
  PodAt pod = {};                   // where the packet is; pods are the session's to fill
  const Pod* source_pod = nullptr;  // whose the addresses in `tuple` are, among this node's pods
  const Pod* destination_pod = nullptr;
  std::optional<Drop> drop;
  std::optional<ProgramStep> program;
  std::optional<MapAccess> map = {};  // only with is_call
  Frame frame;                        // without bytes unless they were asked for and the headers are known
  Dump skb_dump = {};
  Dump shared_dump = {};
  std::optional<ControlWords> control_words = {};  // absent: not asked for
  std::vector<FieldValue> values;                  // in the order in which they were asked for
  std::vector<const Symbol*> stack;                // innermost first
};

// Why hits were not delivered; see docs/losses.md. Values follow enum trace_loss.
enum class LossCause : std::uint8_t { Ring, Tracking, Budget };

// A gap in the stream: `count` hits (packets, for Tracking) were lost between the neighbouring events.
struct LossEvent {
  std::uint64_t realtime_ns = 0;
  LossCause cause = LossCause::Ring;
  std::uint64_t count = 0;
};

}  // namespace skbtrail
