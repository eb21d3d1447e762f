/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Where the packet inside of a tunnelled one lies: VXLAN, Geneve, GRE and IP in IP, told by the outermost headers as
 * agent/decode/tunnel_headers.cpp tells them. skb->inner_network_header would say it only where the kernel just sent it.
 */
#ifndef SKBTRAIL_TUNNEL_H
#define SKBTRAIL_TUNNEL_H

#include "l3.h"

#define ETH_P_TEB 0x6558	/* a whole frame follows */
#define IPPROTO_HOPOPTS 0
#define IPPROTO_IPIP 4
#define IPPROTO_UDP 17
#define IPPROTO_IPV6 41
#define IPPROTO_ROUTING 43
#define IPPROTO_GRE 47
#define IPPROTO_DSTOPTS 60

#define VXLAN_PORT 4789
#define VXLAN_PORT_OF_LINUX 8472
#define GENEVE_PORT 6081

struct inner_place {
	struct l3_place l3;
	u32 frame;		/* of its link header from head; 0: it has none */
};

/* What follows an IP header: `protocol` is that of IP, at `offset` from head. */
struct transport_place {
	u32 offset;
	u8 protocol;
};

static __always_inline bool behind_ip4(const unsigned char *head, struct transport_place *place)
{
	u8 header[20];

	if (bpf_probe_read_kernel(header, sizeof(header), head + place->offset))
		return false;
	/* Only a first fragment has what follows; the other bits of this word are flags. */
	if ((header[6] & 0x1f) || header[7])
		return false;
	place->protocol = header[9];
	place->offset += (header[0] & 15) * 4;
	return true;
}

static __always_inline bool is_extension(u8 protocol)
{
	return protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_ROUTING || protocol == IPPROTO_DSTOPTS;
}

/* ip6_tunnel puts a limit of encapsulation into an option. */
static __always_inline bool behind_ip6(const unsigned char *head, struct transport_place *place)
{
	struct {
		u8 next;
		u8 length;
	} extension;

	if (bpf_probe_read_kernel(&place->protocol, 1, head + place->offset + 6))
		return false;
	place->offset += 40;
#pragma unroll
	for (int depth = 0; depth < 2; depth++) {
		if (!is_extension(place->protocol))
			break;
		if (bpf_probe_read_kernel(&extension, sizeof(extension), head + place->offset))
			return false;
		place->protocol = extension.next;
		place->offset += (extension.length + 1) * 8;
	}
	return true;
}

static __always_inline void set_inner(struct inner_place *inner, u32 offset, u16 protocol)
{
	if (protocol == ETH_P_TEB)
		inner->frame = offset;
	else
		inner->l3.offset = offset;
	inner->l3.protocol = protocol;
}

static __always_inline void inside_udp(const unsigned char *head, u32 offset, struct inner_place *inner)
{
	u8 headers[16];		/* of UDP, then of the tunnel */
	u16 port;

	if (bpf_probe_read_kernel(headers, sizeof(headers), head + offset))
		return;
	port = headers[2] << 8 | headers[3];
	if (port == VXLAN_PORT || port == VXLAN_PORT_OF_LINUX)
		set_inner(inner, offset + sizeof(headers), ETH_P_TEB);
	else if (port == GENEVE_PORT && !(headers[8] >> 6))
		set_inner(inner, offset + sizeof(headers) + (headers[8] & 0x3f) * 4, headers[10] << 8 | headers[11]);
}

static __always_inline void inside_gre(const unsigned char *head, u32 offset, struct inner_place *inner)
{
	u8 header[4];
	u32 length = sizeof(header);

	if (bpf_probe_read_kernel(header, sizeof(header), head + offset) || header[1] & 7)
		return;		/* version 1 is PPTP */
	length += header[0] & 0x80 ? 4 : 0;	/* checksum */
	length += header[0] & 0x20 ? 4 : 0;	/* key */
	length += header[0] & 0x10 ? 4 : 0;	/* sequence number */
	set_inner(inner, offset + length, header[2] << 8 | header[3]);
}

static __always_inline void inside(const unsigned char *head, const struct transport_place *place,
				   struct inner_place *inner)
{
	if (place->protocol == IPPROTO_UDP)
		inside_udp(head, place->offset, inner);
	else if (place->protocol == IPPROTO_GRE)
		inside_gre(head, place->offset, inner);
	else if (place->protocol == IPPROTO_IPIP)
		set_inner(inner, place->offset, ETH_P_IP);
	else if (place->protocol == IPPROTO_IPV6)
		set_inner(inner, place->offset, ETH_P_IPV6);
}

/* False: this is no tunnel's packet. */
static __always_inline bool find_inner(const unsigned char *head, const struct l3_place *outer,
				       struct inner_place *inner)
{
	struct transport_place place = {.offset = outer->offset};
	__be16 ethertype = 0;
	u16 version;
	bool known;

	__builtin_memset(inner, 0, sizeof(*inner));
	if (!outer->offset || !is_ip(outer->protocol))
		return false;
	/* Until __ip_local_out() has set it, the protocol is still that of the packet inside. */
	version = protocol_by_version(head + outer->offset);
	known = version == ETH_P_IP ? behind_ip4(head, &place) : behind_ip6(head, &place);
	if (!version || !known)
		return false;
	inside(head, &place, inner);
	forget_knowledge();
	if (inner->frame) {
		if (bpf_probe_read_kernel(&ethertype, sizeof(ethertype), head + inner->frame + ETH_MACS))
			return false;
		inner->l3.protocol = bpf_ntohs(ethertype);
		inner->l3.offset = inner->frame + ETH_HLEN;
		skip_vlan_tags(&inner->l3, head);
	}
	return inner->l3.offset != 0;
}

#endif /* SKBTRAIL_TUNNEL_H */
