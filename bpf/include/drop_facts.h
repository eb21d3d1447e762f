/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What a dropped skb says about itself: its place, its protocol, its way. */
#ifndef SKBTRAIL_DROP_FACTS_H
#define SKBTRAIL_DROP_FACTS_H

#include "kernel_compat.h"
#include "l3.h"
#include "monitor_abi.h"

#define AF_INET 2
#define AF_INET6 10
#define AF_PACKET 17
#define AF_XDP 44

#define SKB_DST_PTRMASK (~1UL)	/* bit 0 of _skb_refdst says that no reference is held */

/* Numbers of namespaces begin at 0xf0000000 (PROC_DYNAMIC_FIRST), those of the first ones a little below (v6.18). */
#define NETNS_INUM_MIN 0xe0000000U

static __always_inline bool fill_netns(struct monitor_drop_key *key, const struct net *net)
{
	const u32 inum = net ? BPF_CORE_READ(net, ns.inum) : 0;

	if (inum < NETNS_INUM_MIN)
		return false;
	key->netns_inum = inum;
	key->netns_cookie = netns_cookie(net);
	return true;
}

/*
 * In the queue of a UDP or TCP socket skb->dev is other things (dev_scratch, rbnode), so what it points to must prove
 * that it is a device: the loopback device of its namespace is in that namespace.
 */
static __always_inline const struct net *device_netns(const struct net_device *dev)
{
	const struct net *net;

	if (!dev)
		return NULL;
	net = BPF_CORE_READ(dev, nd_net.net);
	if (!net || BPF_CORE_READ(net, loopback_dev, nd_net.net) != net)
		return NULL;
	return net;
}

static __always_inline const struct net *socket_netns(const struct sock *sk)
{
	return sk ? BPF_CORE_READ(sk, __sk_common.skc_net.net) : NULL;
}

/* The device where the packet is, else what its route or its socket says about the namespace. */
static __always_inline void fill_place(struct monitor_drop_key *key, const struct sk_buff *copy,
				       const struct sock *receiver)
{
	const struct dst_entry *dst = (const void *)(copy->_skb_refdst & SKB_DST_PTRMASK);

	if (fill_netns(key, device_netns(copy->dev))) {
		key->ifindex = BPF_CORE_READ(copy->dev, ifindex);
		return;
	}
	key->ifindex = copy->skb_iif;
	if (dst && fill_netns(key, device_netns(BPF_CORE_READ(dst, dev))))
		return;
	if (!fill_netns(key, socket_netns(copy->sk)))
		(void)fill_netns(key, socket_netns(receiver));
}

static __always_inline bool is_network_family(u16 family)
{
	return family == AF_INET || family == AF_INET6 || family == AF_PACKET || family == AF_XDP;
}

/* Sockets of every family pass skbs around; those of netlink, unix and the like have no protocol and no device. */
static __always_inline bool is_network_packet(const struct monitor_drop_key *key, const struct sk_buff *copy)
{
	if (key->ifindex || copy->protocol)
		return true;
	return copy->sk && is_network_family(BPF_CORE_READ(copy->sk, __sk_common.skc_family));
}

/*
 * netif_receive_skb() notes the interface of arrival in skb_iif, a veth takes it away again. Before that an arriving
 * packet is known by its link-layer header, which eth_type_trans() has taken off; one that leaves gets it put on.
 */
static __always_inline u8 direction_of(const struct monitor_drop_key *key, const struct sk_buff *copy)
{
	if (!is_network_packet(key, copy))
		return MONITOR_NO_NETWORK;
	if (copy->skb_iif)
		return key->ifindex == (u32)copy->skb_iif ? MONITOR_INGRESS : MONITOR_EGRESS;
	if (copy->mac_header && copy->mac_header != HEADER_UNSET && copy->data > copy->head + copy->mac_header)
		return MONITOR_INGRESS;
	return MONITOR_EGRESS;
}

#define IPV4_PROTOCOL_OFFSET 9
#define IPV4_ADDRESSES_OFFSET 12
#define IPV6_NEXT_HEADER_OFFSET 6
#define IPV6_ADDRESSES_OFFSET 8
#define IPV6_HEADER_BYTES 40
#define IPV6_EXTENSIONS_MAX 4	/* headers that are stepped over */

#define IPPROTO_HOPOPTS 0
#define IPPROTO_ROUTING 43
#define IPPROTO_FRAGMENT 44
#define IPPROTO_DSTOPTS 60

static __always_inline bool is_extension(u8 next)
{
	return next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_FRAGMENT || next == IPPROTO_DSTOPTS;
}

static __always_inline u8 ipv6_transport(const unsigned char *l3)
{
	struct {
		u8 next;
		u8 length;	/* in units of 8 bytes beyond the first 8; 0 for fragments */
	} extension;
	u32 offset = IPV6_HEADER_BYTES;
	u8 next = 0;

	if (bpf_probe_read_kernel(&next, 1, l3 + IPV6_NEXT_HEADER_OFFSET))
		return 0;
#pragma unroll
	for (int depth = 0; depth < IPV6_EXTENSIONS_MAX; depth++) {
		if (!is_extension(next))
			break;
		if (bpf_probe_read_kernel(&extension, sizeof(extension), l3 + offset))
			return 0;
		offset += next == IPPROTO_FRAGMENT ? 8 : 8 * (extension.length + 1);
		next = extension.next;
	}
	return next;
}

static __always_inline void fill_protocol(struct monitor_drop_key *key, const struct sk_buff *copy,
					  const struct l3_place *place)
{
	key->l3_protocol = place->protocol ? place->protocol : bpf_ntohs(copy->protocol);
	if (!place->offset)
		return;
	if (place->protocol == ETH_P_IP)
		(void)bpf_probe_read_kernel(&key->l4_protocol, 1, copy->head + place->offset + IPV4_PROTOCOL_OFFSET);
	else if (place->protocol == ETH_P_IPV6)
		key->l4_protocol = ipv6_transport(copy->head + place->offset);
}

/* The source for nth 0, the destination for 1. Whether there is one. */
static __always_inline bool read_address(struct monitor_address *address, const struct sk_buff *copy,
					 const struct l3_place *place, u32 nth)
{
	const unsigned char *l3 = copy->head + place->offset;

	__builtin_memset(address, 0, sizeof(*address));
	if (place->protocol == ETH_P_IP) {
		address->version = 4;
		return !bpf_probe_read_kernel(address->bytes, 4, l3 + IPV4_ADDRESSES_OFFSET + 4 * nth);
	}
	address->version = 6;
	return !bpf_probe_read_kernel(address->bytes, 16, l3 + IPV6_ADDRESSES_OFFSET + 16 * nth);
}

#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define IPPROTO_DCCP 33
#define IPPROTO_SCTP 132
#define IPPROTO_UDPLITE 136
#define IPV4_FRAGMENT_OFFSET 6
#define IPV4_FRAGMENT_MASK 0x1fff	/* of which fragment; the first one has the ports */

static __always_inline bool has_ports(u8 protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP ||
	       protocol == IPPROTO_UDPLITE || protocol == IPPROTO_DCCP;
}

/* From the network header; 0: there are none, or extensions lie between. */
static __always_inline u32 ports_offset(const unsigned char *l3, u16 protocol, u8 l4_protocol)
{
	__be16 fragment = 0;
	u8 first = 0;

	if (protocol == ETH_P_IPV6) {
		(void)bpf_probe_read_kernel(&first, 1, l3 + IPV6_NEXT_HEADER_OFFSET);
		return first == l4_protocol ? IPV6_HEADER_BYTES : 0;
	}
	if (bpf_probe_read_kernel(&first, 1, l3) ||
	    bpf_probe_read_kernel(&fragment, sizeof(fragment), l3 + IPV4_FRAGMENT_OFFSET) ||
	    bpf_ntohs(fragment) & IPV4_FRAGMENT_MASK)
		return 0;
	return 4 * (first & 0xf);
}

static __always_inline void fill_ports(struct monitor_last_packet *packet, const unsigned char *l3, u16 protocol,
				       u8 l4_protocol)
{
	const u32 offset = has_ports(l4_protocol) ? ports_offset(l3, protocol, l4_protocol) : 0;
	__be16 ports[2];

	if (!offset || bpf_probe_read_kernel(ports, sizeof(ports), l3 + offset))
		return;
	packet->sport = bpf_ntohs(ports[0]);
	packet->dport = bpf_ntohs(ports[1]);
	packet->has_ports = 1;
}

static __always_inline void fill_last_packet(struct monitor_last_packet *packet, const struct sk_buff *copy,
					     const struct l3_place *place, u8 l4_protocol)
{
	const unsigned char *l3 = copy->head + place->offset;

	packet->dropped_ns = bpf_ktime_get_ns();
	if (!place->offset || !is_ip(place->protocol))
		return;
	if (place->protocol == ETH_P_IP) {
		if (bpf_probe_read_kernel(packet->saddr, 4, l3 + IPV4_ADDRESSES_OFFSET) ||
		    bpf_probe_read_kernel(packet->daddr, 4, l3 + IPV4_ADDRESSES_OFFSET + 4))
			return;
		packet->ip_version = 4;
	} else {
		if (bpf_probe_read_kernel(packet->saddr, 16, l3 + IPV6_ADDRESSES_OFFSET) ||
		    bpf_probe_read_kernel(packet->daddr, 16, l3 + IPV6_ADDRESSES_OFFSET + 16))
			return;
		packet->ip_version = 6;
	}
	fill_ports(packet, l3, place->protocol, l4_protocol);
}

#endif /* SKBTRAIL_DROP_FACTS_H */
