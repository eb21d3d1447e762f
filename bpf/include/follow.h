/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Step 3, follow: the identity of a packet is its head and when it was first seen. Clones share the head and so the
 * identity; what copies a packet makes a child that names its parent.
 */
#ifndef SKBTRAIL_FOLLOW_H
#define SKBTRAIL_FOLLOW_H

#include "count.h"
#include "packet.h"

/* Off where a hit is all there is to say (--probes drops): then nothing would ever end an entry. */
const volatile bool follow_packets = true;

/*
 * How many heads are followed, and TRACE_FOLLOWED_ALWAYS: the one load that decides most hits. Kept in its own cache
 * line, since the agent and every CPU read it while few write.
 */
__u64 followed_count __attribute__((aligned(64))) = 0;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);	/* set by the agent: --max-packets */
	__type(key, u64);
	__type(value, struct trace_followed);
} followed SEC(".maps");

/* Identities whose skb is between two heads, by skb address: from pskb_expand_head() to its return. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, u64);
	__type(value, struct trace_followed);
} expanding SEC(".maps");

static __always_inline bool anything_followed(void)
{
	return (*(volatile u64 *)&followed_count & ~TRACE_FOLLOWED_ALWAYS) != 0;
}

/* Also what is handled, which outlives what is followed, and frames that XDP programs have had. */
static __always_inline bool anything_known(void)
{
	return *(volatile u64 *)&followed_count != 0;
}

static __always_inline struct trace_followed *find_followed(u64 head)
{
	return bpf_map_lookup_elem(&followed, &head);
}

static __always_inline void forget(u64 head)
{
	if (!bpf_map_delete_elem(&followed, &head))
		__sync_fetch_and_add(&followed_count, -1);
}

static __always_inline struct trace_followed *remember(u64 head, const struct trace_followed *identity)
{
	const long err = bpf_map_update_elem(&followed, &head, identity, BPF_NOEXIST);

	if (!err)
		__sync_fetch_and_add(&followed_count, 1);
	else if (err != -17 /* -EEXIST: another CPU was first */)
		count_loss(TRACE_LOSS_TRACKING);
	return find_followed(head);
}

static __always_inline struct trace_followed *follow_new(const struct packet *packet)
{
	const u64 head = (u64)packet->copy->head;
	const u64 now = bpf_ktime_get_ns();
	const struct trace_followed identity = {
		.head = head,
		.born_ns = now,
		.last_ns = now,
	};
	struct trace_counters *mine = my_counters();
	struct trace_followed *entry;

	if (follow_packets) {
		entry = remember(head, &identity);
	} else {
		entry = &packet->scratch->transient;
		*entry = identity;
	}
	if (mine && entry)
		count_one(&mine->packets);
	return entry;
}

/*
 * Is this head followed? What is left of an identity that gave its head up makes room: whoever asks has the memory
 * in use again, for another packet.
 */
static __always_inline bool is_followed(u64 head)
{
	const struct trace_followed *entry = find_followed(head);

	if (entry && entry->dying_skb) {
		forget(head);
		return false;
	}
	return entry != NULL;
}

static __always_inline void follow_as(u64 skb, const struct trace_followed *parent, u64 born_ns, u64 last_ns)
{
	const u64 head = head_of(skb);
	const struct trace_followed identity = {
		.head = head,
		.born_ns = born_ns,
		.parent_head = parent->head,
		.parent_born = parent->born_ns,
		.last_ns = last_ns,
	};
	struct trace_counters *mine = my_counters();

	if (!head || is_followed(head))
		return;		/* a clone: it shares its parent's head and identity */
	if (remember(head, &identity) && mine)
		count_one(&mine->children);
}

/* `skb` was made from the packet `parent`: by copying, segmenting or fragmenting it. */
static __always_inline void follow_child(u64 skb, const struct trace_followed *parent)
{
	const u64 now = bpf_ktime_get_ns();

	follow_as(skb, parent, now, now);
}

/* It was made while `parent` was handled. */
static __always_inline void follow_born(u64 skb, const struct trace_followed *parent)
{
	const u64 now = bpf_ktime_get_ns();

	follow_as(skb, parent, now, now - 1);
}

static __always_inline bool is_new_on_stack(const struct trace_followed *entry)
{
	return entry->last_ns < entry->born_ns;
}

/* Will this skb_release_data() free the head? The same question as the kernel's skb_data_unref(). */
static __always_inline bool holds_last_reference(const struct sk_buff *copy)
{
	const struct skb_shared_info *shared = (const void *)(copy->head + copy->end);
	const int bias = BPF_CORE_READ_BITFIELD(copy, nohdr) ? (1 << 16) + 1 : 1;

	return !BPF_CORE_READ_BITFIELD(copy, cloned) || BPF_CORE_READ(shared, dataref.counter) == bias;
}

static __always_inline bool is_ending(u8 role)
{
	return role == TRACE_ROLE_RELEASE_DATA || role == TRACE_ROLE_FREE_HEAD || role == TRACE_ROLE_FREE_SKB ||
	       role == TRACE_ROLE_END;
}

/*
 * An entry whose head was given up is good only for the rest of that skb's end. Anyone else who shows this head is
 * another packet on recycled memory.
 */
static __always_inline bool belongs(const struct trace_followed *entry, const struct call *call)
{
	return !entry->dying_skb || (entry->dying_skb == call->skb && is_ending(call->role));
}

/* What the function just hit does to the identity. Called after the hit was reported. */
static __always_inline void apply_role(struct trace_followed *entry, const struct packet *packet)
{
	const struct call *call = &packet->scratch->call;
	const u64 head = (u64)packet->copy->head;

	if (call->role == TRACE_ROLE_RELEASE_DATA) {
		if (holds_last_reference(packet->copy))
			entry->dying_skb = call->skb;
	} else if (call->role == TRACE_ROLE_END) {
		if (holds_last_reference(packet->copy))
			forget(head);
	} else if (call->role == TRACE_ROLE_FREE_SKB) {
		if (entry->dying_skb == call->skb)
			forget(head);
	} else if (call->role == TRACE_ROLE_STEAL_HEAD) {
		if (call->head_stolen)
			forget(head);
	} else if (call->role == TRACE_ROLE_EXPAND_HEAD) {
		const struct trace_followed identity = *entry;

		(void)bpf_map_update_elem(&expanding, &call->skb, &identity, BPF_ANY);
	}
}

#endif /* SKBTRAIL_FOLLOW_H */
