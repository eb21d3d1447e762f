#include "session/known_functions.h"

#include <algorithm>
#include <array>

namespace skbtrail {
namespace {

constexpr std::array kLocalOut4 = {std::string_view{"__ip_local_out"}, std::string_view{"ip_output"}};
// Datagrams, ICMP and raw packets pass here before the output hook of netfilter, which may drop them.
constexpr std::array kLocalOut6 = {std::string_view{"__ip6_local_out"}};
// ip6_xmit() builds the header of TCP and calls the output hook itself: this is the first function that sees it.
constexpr std::array kXmit6 = {std::string_view{"ip6_output"}};
constexpr std::array kQueue = {std::string_view{"__dev_queue_xmit"}, std::string_view{"dev_queue_xmit"}};
constexpr std::array kQueueDirect = {std::string_view{"__dev_direct_xmit"}, std::string_view{"dev_direct_xmit"}};
// v6.15 made napi_gro_receive() an inline around gro_receive_skb().
constexpr std::array kGro = {std::string_view{"gro_receive_skb"}, std::string_view{"napi_gro_receive"}};
// Newer kernels have the core only as a clone whose arguments the compiler changed.
constexpr std::array kReceive = {std::string_view{"__netif_receive_skb_core"}, std::string_view{"__netif_receive_skb"},
                                 std::string_view{"__netif_receive_skb_one_core"}};

constexpr std::array kEntryPlaces = {
    EntryPlace{"IPv4 sent by this host", kLocalOut4},
    EntryPlace{"IPv6 datagrams sent by this host", kLocalOut6},
    EntryPlace{"TCP over IPv6 sent by this host", kXmit6},
    EntryPlace{"any frame handed to a device", kQueue},
    EntryPlace{"a frame that bypasses the queue", kQueueDirect},
    EntryPlace{"a frame from a driver with GRO", kGro},
    EntryPlace{"any received frame", kReceive},
};

// Sorted. Entry points are on the path as well.
constexpr std::array kPath = std::to_array<std::string_view>({
    "__sock_queue_rcv_skb",
    "__udp_enqueue_schedule_skb",
    "arp_rcv",
    "arp_xmit",
    "br_forward",
    "br_handle_frame",
    "br_handle_frame_finish",
    "dev_hard_start_xmit",
    "esp_input",
    "esp_output",
    "geneve_xmit",
    "gre_rcv",
    "icmp_rcv",
    "icmpv6_rcv",
    "ip6_forward",
    "ip6_fragment",
    "ip6_input",
    "ip_defrag",
    "ip_do_fragment",
    "ip_forward",
    "ip_local_deliver",
    "ip_tunnel_rcv",
    "ip_tunnel_xmit",
    "ipip_rcv",
    "ipv6_frag_rcv",
    "nf_hook_slow",
    "packet_rcv",
    "raw_rcv_skb",
    "sctp_rcv",
    "tcp_add_backlog",
    "tcp_queue_rcv",
    "tcp_rcv_established",
    "tcp_rcv_state_process",
    "tcp_v4_rcv",
    "tcp_v6_rcv",
    "tun_net_xmit",
    "vlan_dev_hard_start_xmit",
    "vlan_do_receive",
    "vxlan_rcv",
    "vxlan_xmit",
    "xfrm_input",
    "xfrm_output",
});
static_assert(std::ranges::is_sorted(kPath));

struct NamedRole {
  std::string_view name;
  Role role;
};

constexpr std::array kRoles = {
    NamedRole{"skb_release_data", Role::ReleaseData}, NamedRole{"skb_free_head", Role::FreeHead},
    NamedRole{"kfree_skbmem", Role::FreeSkb},         NamedRole{"napi_skb_cache_put", Role::FreeSkb},
    NamedRole{"kfree_skb_partial", Role::StealHead},  NamedRole{"pskb_expand_head", Role::ExpandHead},
};

struct NamedMove {
  std::string_view name;
  Move move;
};

constexpr std::array kMoves = {
    NamedMove{"pskb_expand_head", Move::Expanded}, NamedMove{"skb_copy", Move::Child},
    NamedMove{"skb_copy_expand", Move::Child},     NamedMove{"__pskb_copy_fclone", Move::Child},
    NamedMove{"ip_frag_next", Move::Child},        NamedMove{"ip6_frag_next", Move::Child},
    NamedMove{"skb_segment", Move::Children},      NamedMove{"ip_do_fragment", Move::Fragments},
    NamedMove{"ip6_fragment", Move::Fragments},    NamedMove{"skb_copy_header", Move::Copied},
};

// All others that make a packet of nothing call one of these. Drivers have more of their own, for what they receive.
constexpr std::array kBirths = {std::string_view{"__alloc_skb"}, std::string_view{"build_skb"}};

}  // namespace

std::span<const EntryPlace> entry_places() {
  return kEntryPlaces;
}

bool is_path_function(std::string_view name) {
  return std::ranges::binary_search(kPath, name);
}

Role role_of(std::string_view name) {
  const auto* found = std::ranges::find(kRoles, name, &NamedRole::name);
  return found == kRoles.end() ? Role::Plain : found->role;
}

Move move_of(std::string_view name) {
  const auto* found = std::ranges::find(kMoves, name, &NamedMove::name);
  return found == kMoves.end() ? Move::None : found->move;
}

// Each type of map has functions of its own, which are named alike.
MapOperation map_operation_of(std::string_view name) {
  if (name == "__htab_map_lookup_elem")
    return MapOperation::Find;
  if (name.ends_with("lookup_elem"))
    return MapOperation::Lookup;
  if (name.ends_with("update_elem"))
    return MapOperation::Update;
  return name.ends_with("delete_elem") && !name.ends_with("lookup_and_delete_elem") ? MapOperation::Delete
                                                                                    : MapOperation::None;
}

std::span<const std::string_view> birth_functions() {
  return kBirths;
}

}  // namespace skbtrail
