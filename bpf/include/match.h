/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Step 2, match: is this a packet the user asked for? Runs only where a packet is first met. */
#ifndef SKBTRAIL_MATCH_H
#define SKBTRAIL_MATCH_H

#include "packet.h"

/* Written by the agent before load; the verifier prunes what is off. */
const volatile bool match_pcap = false;
const volatile bool match_pcap_l3 = false;	/* the expression needs no link layer */
const volatile bool match_tunnel_l2 = false;	/* an expression about the frame that a tunnel carries */
const volatile bool match_tunnel_l3 = false;	/* an expression about the IP packet that a tunnel carries */
const volatile bool match_fields = false;	/* a field expression */
const volatile bool match_xdp_fields = false;	/* the same about frames that XDP programs are handed */
const volatile bool match_others = false;	/* any of the following conditions, or of those on fields */
const volatile __u32 match_netns = 0;		/* inum; 0: any */
const volatile __u32 match_ifindex = 0;		/* 0: any */
const volatile bool match_pods = false;		/* only what `pod_scope` has */
const volatile bool match_needs_front = false;	/* it takes more to match a packet than read_back() reads */
const volatile __u32 match_mark = 0;
const volatile __u32 match_mark_mask = 0;		/* 0: any mark */

/* The places of the pods that were asked for; the agent changes it while the trace runs. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);		/* set by the agent, when pods were asked for */
	__type(key, struct trace_place);
	__type(value, u8);
} pod_scope SEC(".maps");

/*
 * The agent writes translated expressions over these pads. The first instruction names the kind;
 * FILTER_PAD_INSTRUCTIONS is a definition of the build, see agent/kernel/filter_pad.h.
 */
#define STRING_OF(number) #number
#define TEXT(number) STRING_OF(number)
#define PAD(magic, share) "r0 = " magic "\n.rept " TEXT(FILTER_PAD_INSTRUCTIONS) share " - 1\nr0 = r0\n.endr\n"
#define FILTER_PAD_L2 PAD("0x5b7a0002", "")
#define FILTER_PAD_L3 PAD("0x5b7a0003", "")
#define TUNNEL_PAD_L2 PAD("0x5b7a0012", "")
#define TUNNEL_PAD_L3 PAD("0x5b7a0013", "")
#define FIELDS_PAD PAD("0x5b7a0004", " / 2")
#define VALUES_PAD PAD("0x5b7a0005", " / 2")

#define RUN_FILTER(pad, scratch)                                                                \
	({                                                                                             \
		register u64 r0_ asm("r0");                                                            \
		register u64 r1_ asm("r1") = (u64)(scratch)->window;                                   \
		register u64 r2_ asm("r2") = (u64)(scratch)->filter;                                   \
		register u64 r3_ asm("r3") = (scratch)->input.length;                                           \
		register u64 r4_ asm("r4") = (scratch)->input.linear;                                           \
		register u64 r5_ asm("r5") = (scratch)->input.base;                                             \
		asm volatile(pad                                                                       \
			     : "=r"(r0_), "+r"(r1_), "+r"(r2_), "+r"(r3_), "+r"(r4_), "+r"(r5_)        \
			     :                                                                         \
			     : "r6", "r7", "r8", "r9", "memory");                                      \
		(u32)r0_ != 0;                                                                         \
	})

/* The convention of these is in agent/filter/expression_generator.h. */
#define RUN_EXPRESSION(pad, scratch, root)                                                             \
	({                                                                                             \
		register u64 r0_ asm("r0");                                                            \
		register u64 r1_ asm("r1") = (root);                                                   \
		register u64 r2_ asm("r2") = (u64)(scratch)->expression;                               \
		register u64 r3_ asm("r3") = (u64)(scratch)->skb;                                      \
		asm volatile(pad                                                                       \
			     : "=r"(r0_), "+r"(r1_), "+r"(r2_), "+r"(r3_)                              \
			     :                                                                         \
			     : "r4", "r5", "r6", "r7", "r8", "r9", "memory");                          \
		(u32)r0_ != 0;                                                                         \
	})

/* From `offset` (from head) on, with `virtual_bytes` in front that are not in memory. */
static __always_inline void set_filter_input(struct scratch *scratch, u32 offset, u32 virtual_bytes)
{
	const struct sk_buff *copy = (const void *)scratch->skb;
	const u32 data_offset = (u32)(copy->data - copy->head);

	scratch->input = (struct filter_input){
		.length = copy->len + data_offset - offset + virtual_bytes,
		.linear = copy->tail > offset ? copy->tail - offset + virtual_bytes : 0,
		.base = (u64)copy->head + offset - virtual_bytes,
	};
	forget_knowledge();
}

/* What a filter judges lies in memory as it is, from `offset` (from head) on. */
static __always_inline bool show(const struct packet *packet, u32 offset)
{
	struct scratch *scratch = packet->scratch;

	if (bpf_probe_read_kernel(scratch->window, TRACE_WINDOW_BYTES, packet->copy->head + offset))
		return false;
	set_filter_input(scratch, offset, 0);
	return true;
}

static __always_inline bool match_l3(const struct packet *packet)
{
	struct scratch *scratch = packet->scratch;

	return show(packet, scratch->l3.offset) && RUN_FILTER(FILTER_PAD_L3, scratch);
}

/* Where the frame begins in memory, from head; 0: there is no link layer (yet). */
static __always_inline u32 frame_offset(const struct packet *packet)
{
	const struct sk_buff *copy = packet->copy;
	const u32 l3_offset = packet->scratch->l3.offset;
	const u32 data_offset = (u32)(copy->data - copy->head);
	u32 mac = copy->mac_header;

	if (mac && mac != HEADER_UNSET && mac + ETH_HLEN <= l3_offset)
		return mac;
	/* dev_queue_xmit() is handed frames whose MAC header nobody marked yet. */
	if (data_offset && data_offset + ETH_HLEN <= l3_offset && data_offset + ETH_HLEN + 2 * VLAN_HLEN >= l3_offset)
		return data_offset;
	return 0;
}

/*
 * The frame as it would be on the wire: a tag that the kernel carries beside the frame goes back in, a link layer
 * that is not there yet is zeros and the EtherType. `frame` is where it begins, or 0.
 */
static __always_inline bool show_made_frame(const struct packet *packet, u32 frame, bool tagged)
{
	const struct sk_buff *copy = packet->copy;
	struct scratch *scratch = packet->scratch;
	u8 *window = scratch->window;
	/* The EtherType is written, not read, without a frame: what lies before the network header is not one. */
	const u32 rest = frame ? frame + ETH_MACS : scratch->l3.offset - 2;

	__builtin_memset(window, 0, ETH_HLEN + VLAN_HLEN);
	if (frame && bpf_probe_read_kernel(window, ETH_MACS, copy->head + frame))
		return false;
	if (tagged) {
		*(__be16 *)(window + ETH_MACS) = copy->vlan_proto;
		*(__be16 *)(window + ETH_MACS + 2) = bpf_htons(copy->vlan_tci);
		if (bpf_probe_read_kernel(window + ETH_MACS + VLAN_HLEN, TRACE_WINDOW_BYTES - ETH_MACS - VLAN_HLEN,
					  copy->head + rest))
			return false;
		if (!frame)
			*(__be16 *)(window + ETH_MACS + VLAN_HLEN) = bpf_htons(scratch->l3.protocol);
	} else {
		if (bpf_probe_read_kernel(window + ETH_MACS, TRACE_WINDOW_BYTES - ETH_MACS, copy->head + rest))
			return false;
		*(__be16 *)(window + ETH_MACS) = bpf_htons(scratch->l3.protocol);
	}
	set_filter_input(scratch, rest, tagged ? ETH_MACS + VLAN_HLEN : ETH_MACS);
	return true;
}

static __always_inline bool match_l2(const struct packet *packet)
{
	const u32 frame = frame_offset(packet);
	const bool tagged = skb_has_vlan_tag(packet->copy);
	const bool shown = frame && !tagged ? show(packet, frame) : show_made_frame(packet, frame, tagged);

	return shown && RUN_FILTER(FILTER_PAD_L2, packet->scratch);
}

static __always_inline const struct net *packet_netns(const struct sk_buff *copy)
{
	if (copy->dev)
		return BPF_CORE_READ(copy->dev, nd_net.net);
	if (copy->sk)
		return BPF_CORE_READ(copy->sk, __sk_common.skc_net.net);
	return NULL;
}

static __always_inline bool in_scope(u64 id, u32 ifindex, u32 kind)
{
	const struct trace_place place = {.id = id, .ifindex = ifindex, .kind = kind};

	return bpf_map_lookup_elem(&pod_scope, &place) != NULL;
}

/*
 * The packet's socket, if the packet still is in that socket's namespace: on its way through others it carries the
 * socket along (v4.19), but is no longer where it belongs.
 */
static __always_inline const struct sock *socket_at_home(const struct sk_buff *copy, const struct net *net)
{
	if (!copy->sk || BPF_CORE_READ(copy->sk, __sk_common.skc_net.net) != net)
		return NULL;
	return copy->sk;
}

/* In the namespace of such a pod, on the host's end of its link, or of its socket in the host's namespace. */
static __always_inline bool match_pod(const struct sk_buff *copy)
{
	const struct net *net = packet_netns(copy);
	const struct sock *sk;
	u64 cgroup;
	u32 inum;

	if (!net)
		return false;
	inum = BPF_CORE_READ(net, ns.inum);
	if (in_scope(inum, 0, TRACE_PLACE_NETNS))
		return true;
	if (copy->dev && in_scope(inum, BPF_CORE_READ(copy->dev, ifindex), TRACE_PLACE_INTERFACE))
		return true;
	sk = socket_at_home(copy, net);
	cgroup = sk ? socket_cgroup(sk) : 0;
	return cgroup && in_scope(cgroup, 0, TRACE_PLACE_CGROUP);
}

static __always_inline bool match_owner(const struct sk_buff *copy)
{
	if (match_mark_mask && (copy->mark & match_mark_mask) != match_mark)
		return false;
	if (match_ifindex && (!copy->dev || (u32)BPF_CORE_READ(copy->dev, ifindex) != match_ifindex))
		return false;
	if (match_netns) {
		const struct net *net = packet_netns(copy);

		if (!net || BPF_CORE_READ(net, ns.inum) != match_netns)
			return false;
	}
	return !match_pods || match_pod(copy);
}

static __always_inline bool match_bytes(const struct packet *packet)
{
	if (!match_pcap)
		return true;
	if (!packet->scratch->l3.offset)
		return false;
	if (match_pcap_l3 && is_ip(packet->scratch->l3.protocol))
		return match_l3(packet);
	return match_l2(packet);
}

/*
 * Room for these costs the verifier time also when they are off, so only the object with much room has them; see
 * bpf/CMakeLists.txt.
 */
#if FILTER_PAD_INSTRUCTIONS >= 4096
static __always_inline bool match_inner_l2(const struct packet *packet)
{
	struct scratch *scratch = packet->scratch;
	const struct inner_place *inner = &scratch->inner;
	const u32 start = inner->frame ? inner->frame : inner->l3.offset;
	const u32 added = inner->frame ? 0 : ETH_HLEN;

	/* IP in IP carries no frame: its link header is zeros and the EtherType. */
	__builtin_memset(scratch->window, 0, ETH_HLEN);
	*(__be16 *)(scratch->window + ETH_MACS) = bpf_htons(inner->l3.protocol);
	if (inner->frame) {
		if (bpf_probe_read_kernel(scratch->window, TRACE_WINDOW_BYTES, packet->copy->head + start))
			return false;
	} else if (bpf_probe_read_kernel(scratch->window + ETH_HLEN, TRACE_WINDOW_BYTES - ETH_HLEN,
					 packet->copy->head + start)) {
		return false;
	}
	set_filter_input(scratch, start, added);
	return RUN_FILTER(TUNNEL_PAD_L2, scratch);
}

static __always_inline bool match_inner_l3(const struct packet *packet)
{
	struct scratch *scratch = packet->scratch;

	return is_ip(scratch->inner.l3.protocol) && show(packet, scratch->inner.l3.offset) &&
	       RUN_FILTER(TUNNEL_PAD_L3, scratch);
}

/* As pwru has it: what no tunnel carries is not judged. */
static __always_inline bool match_tunnel(const struct packet *packet)
{
	struct scratch *scratch = packet->scratch;

	if (!match_tunnel_l2 && !match_tunnel_l3)
		return true;
	if (!find_inner(packet->copy->head, &scratch->l3, &scratch->inner))
		return true;
	if (match_tunnel_l2 && !match_inner_l2(packet))
		return false;
	return !match_tunnel_l3 || match_inner_l3(packet);
}
#else
static __always_inline bool match_tunnel(const struct packet *packet)
{
	(void)packet;
	return true;
}
#endif

/*
 * Needs read_packet() or read_frame() before. Whoever asks for a condition on skbs alone means packets that have one,
 * and the other way round.
 */
static __always_inline bool match(const struct packet *packet)
{
	const bool by_fields = match_others && (packet->is_frame ? match_xdp_fields : match_fields);

	/* To ask for each of them takes as long as the expression itself. */
	if (match_others) {
		if (!by_fields && (match_fields || match_xdp_fields))
			return false;
		if (!match_owner(packet->copy))
			return false;
	}
	if (!match_bytes(packet) || !match_tunnel(packet))
		return false;
	return !by_fields || RUN_EXPRESSION(FIELDS_PAD, packet->scratch, packet->scratch->call.skb);
}

#endif /* SKBTRAIL_MATCH_H */
