/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Packets that have no skb yet: an XDP program is handed the bare frame. Its identity is kept by where its buffer begins
 * (data_hard_start), which is the head of the skb that is built around it, if it comes to that.
 */
#ifndef SKBTRAIL_XDP_H
#define SKBTRAIL_XDP_H

#include "follow.h"
#include "match.h"
#include "packet.h"

const volatile bool track_xdp = false;

/* A frame between its program and its skb. What is older went another way, and its buffer may have another one in it. */
#define FRAME_LIFETIME_NS 1000000000ULL

struct frame {
	struct trace_followed identity;
	u64 seen_ns;
	u64 device;		/* struct net_device where its program ran first */
	u32 offset;		/* of its first byte from the start of the buffer, when its program had decided */
	u32 decided;		/* its program let it go on */
};

/* By data_hard_start. A frame has no end that could be watched: what is left lying makes room for those that come. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);		/* set by the agent, when XDP programs are traced */
	__type(key, u64);
	__type(value, struct frame);
} frames SEC(".maps");

static __always_inline struct frame *find_frame(u64 head)
{
	return bpf_map_lookup_elem(&frames, &head);
}

static __always_inline void forget_frame(u64 head)
{
	(void)bpf_map_delete_elem(&frames, &head);
}

static __always_inline bool is_fresh(const struct frame *frame)
{
	return bpf_ktime_get_ns() - frame->seen_ns < FRAME_LIFETIME_NS;
}

/* Bytes of a frame; since v5.18 it may have more of them in page fragments. */
static __always_inline u32 frame_length(const struct xdp_buff *xdp, u64 start, u64 end, u64 data)
{
	const u64 linear = end - data;
	const struct skb_shared_info *shared = NULL;

	if (!bpf_core_field_exists(xdp->flags) || !bpf_core_field_exists(shared->xdp_frags_size) ||
	    !(BPF_CORE_READ(xdp, flags) & XDP_HAS_FRAGS))
		return linear;
	shared = (const void *)(start + BPF_CORE_READ(xdp, frame_sz) -
				((bpf_core_type_size(struct skb_shared_info) + CACHE_LINE - 1) & ~(u64)(CACHE_LINE - 1)));
	return linear + BPF_CORE_READ(shared, xdp_frags_size);
}

/*
 * Writes the skb that the kernel would make of this frame, as far as anyone behind looks at it: so frames are matched
 * and reported like all other packets.
 */
static __always_inline bool read_frame(struct packet *packet, u64 address)
{
	const struct xdp_buff *xdp = (const void *)address;
	const u64 start = (u64)BPF_CORE_READ(xdp, data_hard_start);
	const u64 data = (u64)BPF_CORE_READ(xdp, data);
	const u64 end = (u64)BPF_CORE_READ(xdp, data_end);
	struct scratch *scratch = packet->scratch;
	struct sk_buff *copy = (struct sk_buff *)scratch->skb;

	scratch->call = (struct call){.skb = address, .role = TRACE_ROLE_PLAIN};
	packet->copy = copy;
	if (!start || data <= start || end < data)
		return false;
	__builtin_memset(scratch->skb, 0, sizeof(scratch->skb));
	copy->head = (void *)start;
	copy->data = (void *)data;
	copy->len = frame_length(xdp, start, end, data);
	copy->tail = end - start;
	copy->mac_header = data - start;
	copy->dev = BPF_CORE_READ(xdp, rxq, dev);
	forget_knowledge();
	find_l3(packet->copy, &scratch->l3);
	return true;
}

/* Is this the program of a packet that has an skb already (generic XDP)? Those have the queues of the device itself. */
static __always_inline bool is_generic(u64 address)
{
	const struct xdp_buff *xdp = (const void *)address;
	const struct xdp_rxq_info *rxq = BPF_CORE_READ(xdp, rxq);
	const struct net_device *dev = BPF_CORE_READ(rxq, dev);
	const u64 queues = (u64)BPF_CORE_READ(dev, _rx);
	const u64 size = bpf_core_type_size(struct netdev_rx_queue) * (u64)BPF_CORE_READ(dev, num_rx_queues);

	return (u64)rxq >= queues && (u64)rxq - queues < size;
}

/* Of a packet that is followed by its skb, whose program ran on it. */
static __always_inline struct trace_followed *skb_of_frame(const struct packet *packet)
{
	const u64 head = (u64)packet->copy->head;
	struct trace_followed *entry = anything_followed() ? find_followed(head) : NULL;

	if (!entry || belongs(entry, &packet->scratch->call))
		return entry;
	forget(head);
	return NULL;
}

/*
 * A frame that another device's program has sent here. On the device where it was met a known buffer is one that is used
 * again.
 */
static __always_inline struct frame *sent_here(const struct packet *packet)
{
	const u64 head = (u64)packet->copy->head;
	struct frame *frame = find_frame(head);

	if (!frame || (frame->decided && is_fresh(frame) && frame->device != (u64)packet->copy->dev))
		return frame;
	forget_frame(head);
	return NULL;
}

static __always_inline struct trace_followed *keep_frame(const struct packet *packet,
							 const struct trace_followed *identity, bool decided)
{
	const u64 head = (u64)packet->copy->head;
	const struct frame fresh = {
		.identity = *identity,
		.seen_ns = bpf_ktime_get_ns(),
		.device = (u64)packet->copy->dev,
		.offset = (u64)packet->copy->data - head,
		.decided = decided,
	};
	struct frame *frame;

	if (bpf_map_update_elem(&frames, &head, &fresh, BPF_ANY)) {
		count_loss(TRACE_LOSS_TRACKING);
		return NULL;
	}
	frame = find_frame(head);
	return frame ? &frame->identity : NULL;
}

static __always_inline struct trace_followed *follow_frame(const struct packet *packet)
{
	const u64 head = (u64)packet->copy->head;
	const u64 now = bpf_ktime_get_ns();
	const struct trace_followed identity = {.head = head, .born_ns = now, .last_ns = now};
	struct trace_counters *mine = my_counters();
	struct trace_followed *entry;

	entry = is_generic(packet->scratch->call.skb) ? remember(head, &identity) : keep_frame(packet, &identity, false);
	if (mine && entry)
		count_one(&mine->packets);
	return entry;
}

/* XDP_PASS, XDP_TX and XDP_REDIRECT: the frame goes on, here or elsewhere. */
static __always_inline bool goes_on(s32 verdict)
{
	return verdict >= XDP_PASS && verdict <= XDP_REDIRECT;
}

static __always_inline void decide_frame(struct frame *frame, const struct packet *packet, s32 verdict)
{
	const u64 head = (u64)packet->copy->head;

	if (!goes_on(verdict)) {
		forget_frame(head);
		return;
	}
	frame->offset = (u64)packet->copy->data - head;
	frame->seen_ns = bpf_ktime_get_ns();
	frame->decided = true;
}

/*
 * A program of veth had an skb, and sends on what was in it without: the skb ends, and its buffer lives on as a frame.
 * In generic XDP the skb itself goes on.
 */
static __always_inline void leave_skb(const struct trace_followed *entry, const struct packet *packet, s32 verdict)
{
	if ((verdict == XDP_TX || verdict == XDP_REDIRECT) && !is_generic(packet->scratch->call.skb))
		(void)keep_frame(packet, entry, true);
}

/* Is this skb made of that frame? It then begins where the frame did, before or after its Ethernet header was taken off. */
static __always_inline bool is_made_of(const struct frame *frame, const struct sk_buff *copy)
{
	return frame->decided && is_fresh(frame) &&
	       (copy->mac_header == frame->offset || (u64)(copy->data - copy->head) == frame->offset);
}

/* The entry of a packet that was a frame until now; NULL when it was not. */
static __always_inline struct trace_followed *born_of_frame(const struct sk_buff *copy)
{
	const u64 head = (u64)copy->head;
	const struct frame *frame = find_frame(head);
	struct trace_followed identity;

	if (!frame || !is_made_of(frame, copy))
		return NULL;
	identity = frame->identity;
	forget_frame(head);
	return remember(head, &identity);
}

#endif /* SKBTRAIL_XDP_H */
