/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Where the network header of an skb lies, found from a copy of the struct sk_buff. */
#ifndef SKBTRAIL_L3_H
#define SKBTRAIL_L3_H

#include "kernel_compat.h"

#include <bpf/bpf_endian.h>

#define ETH_HLEN 14
#define ETH_MACS 12
#define VLAN_HLEN 4
#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86DD
#define ETH_P_8021Q 0x8100
#define ETH_P_8021AD 0x88A8
#define HEADER_UNSET 0xffff	/* skb_mac_header_was_set() */

#define SKB_COPY_BYTES 256	/* at least sizeof(struct sk_buff) up to its last field that we read */

/*
 * Kept in a map's memory by who runs more code behind it: the verifier knows nothing of that memory's content, so all
 * ways to it are one from there on.
 */
struct l3_place {
	u32 offset;		/* of the network header from head; 0: not known */
	u16 protocol;		/* EtherType of what lies there, host order; 0: not known */
	u16 vlan_tci;
	bool has_vlan;
};

static __always_inline bool is_vlan(u16 protocol)
{
	return protocol == ETH_P_8021Q || protocol == ETH_P_8021AD;
}

static __always_inline bool is_ip(u16 protocol)
{
	return protocol == ETH_P_IP || protocol == ETH_P_IPV6;
}

/*
 * What was stored is read again, so that the verifier follows one way from here on and not one for each that led here:
 * it took 40,000 instructions to verify a program of 1,100 without.
 */
static __always_inline void forget_knowledge(void)
{
	asm volatile("" ::: "memory");
}

/* Steps over up to two tags in the frame; `offset` points behind an EtherType. */
static __always_inline void skip_vlan_tags(struct l3_place *place, const unsigned char *head)
{
	struct {
		__be16 tci;
		__be16 protocol;
	} tag;

#pragma unroll
	for (int depth = 0; depth < 2; depth++) {
		if (!is_vlan(place->protocol))
			return;
		if (bpf_probe_read_kernel(&tag, sizeof(tag), head + place->offset))
			return;
		if (!place->has_vlan) {
			place->has_vlan = true;
			place->vlan_tci = bpf_ntohs(tag.tci);
		}
		place->protocol = bpf_ntohs(tag.protocol);
		place->offset += VLAN_HLEN;
		forget_knowledge();
	}
}

static __always_inline u16 protocol_by_version(const unsigned char *l3)
{
	u8 first = 0;

	(void)bpf_probe_read_kernel(&first, 1, l3);
	if (first >> 4 == 4)
		return ETH_P_IP;
	return first >> 4 == 6 ? ETH_P_IPV6 : 0;
}

/*
 * Finds the network header. On the way out it is set long before skb->protocol is (__ip_local_out() sets that), on
 * the way in a driver has set only the MAC header (eth_type_trans()); between the two the frame itself must tell.
 */
static __always_inline void find_l3(const struct sk_buff *copy, struct l3_place *place)
{
	const unsigned char *head = copy->head;
	__be16 ethertype = 0;

	place->offset = 0;
	place->protocol = 0;
	place->has_vlan = skb_has_vlan_tag(copy);
	place->vlan_tci = copy->vlan_tci;

	if (copy->network_header && copy->network_header != HEADER_UNSET) {
		place->offset = copy->network_header;
		place->protocol = bpf_ntohs(copy->protocol);
		if (!place->protocol)
			place->protocol = protocol_by_version(head + place->offset);
	} else if (copy->mac_header && copy->mac_header != HEADER_UNSET &&
		   !bpf_probe_read_kernel(&ethertype, sizeof(ethertype), head + copy->mac_header + ETH_MACS)) {
		place->offset = copy->mac_header + ETH_HLEN;
		place->protocol = bpf_ntohs(ethertype);
	}
	forget_knowledge();
	if (place->offset)
		skip_vlan_tags(place, head);
}

#endif /* SKBTRAIL_L3_H */
