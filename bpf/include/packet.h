/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Step 1, read: one copy of the struct sk_buff, and where its network header lies. */
#ifndef SKBTRAIL_PACKET_H
#define SKBTRAIL_PACKET_H

#include "kernel_compat.h"
#include "l3.h"
#include "trace_abi.h"
#include "tunnel.h"

/* One call of a traced function, however the backend tells it; or one drop. */
struct call {
	u64 address;
	u64 skb;
	u64 caller;		/* 0: not asked for */
	u8 role;		/* enum trace_role */
	u8 silent;
	u8 head_stolen;		/* TRACE_ROLE_STEAL_HEAD only */
};

/* A call that is about an element of a BPF map. */
struct map_access {
	u64 map;
	u64 key;
	u64 value;		/* see enum trace_map_operation; 0: there is none */
	u64 operation;
};

/* Offsets and lengths of a packet as a filter sees it; see agent/filter/packet_filter.h for the convention. */
struct filter_input {
	u32 length;
	u32 linear;
	u64 base;
};

/*
 * Working memory of one run of one program. Programs of one kind never nest on one CPU (the kernel counts such a hit
 * as missed), different kinds do: each has its own.
 */
struct scratch {
	u8 skb[TRACE_SKB_COPY_BYTES];
	struct call call;
	struct l3_place l3;
	struct inner_place inner;	/* of a tunnel's packet, when somebody asked for it */
	struct filter_input input;
	u8 window[TRACE_WINDOW_BYTES];
	u8 filter[TRACE_FILTER_SCRATCH];
	u8 expression[TRACE_EXPRESSION_SCRATCH];
	struct trace_values values;	/* right behind `expression`, which is how expressions find it */
	struct map_access access;
	struct trace_followed transient;	/* identity of a packet that is not followed further */
	u32 busy;
	u32 reserved;
};

enum scratch_kind {
	SCRATCH_ENTRY_KPROBE,
	SCRATCH_ENTRY_FENTRY,
	SCRATCH_FOLLOW_KPROBE,
	SCRATCH_FOLLOW_FENTRY,
	SCRATCH_DROP,
	SCRATCH_PROGRAM,
	SCRATCH_BESIDE,
	SCRATCH_KINDS,
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SCRATCH_KINDS);
	__type(key, u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

static __always_inline struct scratch *my_scratch(u32 kind)
{
	return bpf_map_lookup_elem(&scratches, &kind);
}

/* What one hit is about. `copy` is the skb's content as it was at the hit. */
struct packet {
	void *ctx;
	struct scratch *scratch;
	const struct sk_buff *copy;
	bool is_frame;		/* made up by read_frame() */
	bool is_call;		/* of a function that takes no packet: nothing is known of it but its identity */
	bool is_map_access;	/* such a call, with `access` of the scratch */
	bool no_values;		/* in a program without room for expressions */
};

static __always_inline u64 head_of(u64 skb)
{
	return (u64)BPF_CORE_READ((struct sk_buff *)skb, head);
}

static __always_inline u32 skb_size(void)
{
	const u32 size = bpf_core_type_size(struct sk_buff);

	return size > TRACE_SKB_COPY_BYTES ? TRACE_SKB_COPY_BYTES : size;
}

static __always_inline u32 least(u32 a, u32 b)
{
	return a < b ? a : b;
}

static __always_inline u32 most(u32 a, u32 b)
{
	return a > b ? a : b;
}

const volatile bool match_needs_length = false;	/* the expression asks for the length of a packet */

#define SKB_OFFSET(field) bpf_core_field_offset(struct sk_buff, field)
#define SKB_END(field)	  (SKB_OFFSET(field) + bpf_core_field_size(struct sk_buff, field))

/*
 * That part of an skb that tells its bytes and marks: its back half, behind the queue, device, socket and control block.
 * All of this is known at load, nothing is computed at a hit.
 */
static __always_inline u32 back_of_skb(void)
{
	u32 offset = SKB_OFFSET(mark);

	offset = least(offset, SKB_OFFSET(protocol));
	offset = least(offset, SKB_OFFSET(vlan_proto));
	offset = least(offset, SKB_OFFSET(vlan_tci));
	offset = least(offset, SKB_OFFSET(network_header));
	offset = least(offset, SKB_OFFSET(mac_header));
	offset = least(offset, SKB_OFFSET(tail));
	offset = least(offset, SKB_OFFSET(head));
	offset = least(offset, SKB_OFFSET(data));
	/* Behind the length there may be the bit that says whether there is a tag. */
	if (match_needs_length || has_vlan_bit())
		offset = least(offset, SKB_OFFSET(len));
	return offset & ~7;
}

static __always_inline u32 end_of_back(void)
{
	u32 end = SKB_END(data);

	end = most(end, SKB_END(head));
	end = most(end, SKB_END(tail));
	end = most(end, SKB_END(end));
	end = most(end, SKB_END(mac_header));
	end = most(end, SKB_END(mark));
	return least((end + 7) & ~7, skb_size());
}

/* Copies what was called and the skb from `start` to `end`, and finds the network header; false: there is no packet to speak of. */
static __always_inline bool read_skb_part(struct packet *packet, const struct call *call, u32 start, u32 end)
{
	struct scratch *scratch = packet->scratch;

	scratch->call = *call;
	forget_knowledge();
	packet->copy = (const struct sk_buff *)scratch->skb;
	if (bpf_probe_read_kernel(scratch->skb + start, end - start, (const void *)scratch->call.skb + start) ||
	    !packet->copy->head)
		return false;
	find_l3(packet->copy, &scratch->l3);
	return true;
}

static __always_inline bool read_packet(struct packet *packet, const struct call *call)
{
	return read_skb_part(packet, call, 0, skb_size());
}

/* What nearly all packets that a filter sees are read for is to be let go: half of it is enough for that. */
static __always_inline bool read_back(struct packet *packet, const struct call *call)
{
	return read_skb_part(packet, call, back_of_skb(), end_of_back());
}

/* The rest of one that is not. */
static __always_inline void read_front(const struct packet *packet)
{
	struct scratch *scratch = packet->scratch;

	(void)bpf_probe_read_kernel(scratch->skb, skb_size(), (const void *)scratch->call.skb);
	forget_knowledge();
}

#endif /* SKBTRAIL_PACKET_H */
