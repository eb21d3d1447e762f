/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What happens when a probe is hit: the packet is met or followed, reported, and from then on handled. */
#ifndef SKBTRAIL_HIT_H
#define SKBTRAIL_HIT_H

#include "count.h"
#include "emit.h"
#include "follow.h"
#include "handled.h"
#include "match.h"
#include "packet.h"
#include "probed.h"
#include "trampoline.h"
#include "xdp.h"

static __always_inline bool may_nest(enum scratch_kind kind)
{
	return kind == SCRATCH_DROP || kind == SCRATCH_PROGRAM;
}

/*
 * Before v6.1 nothing stops a raw tracepoint program from nesting in itself, and BPF programs that are traced may nest
 * in one another: the second one is counted and skipped.
 */
static __always_inline struct scratch *take_scratch(enum scratch_kind kind)
{
	struct scratch *scratch = my_scratch(kind);

	if (!scratch || !may_nest(kind))
		return scratch;
	if (scratch->busy) {
		count_skipped_hit();
		return NULL;
	}
	scratch->busy = 1;
	return scratch;
}

static __always_inline void give_back(struct scratch *scratch, enum scratch_kind kind)
{
	if (may_nest(kind))
		scratch->busy = 0;
}

/* What is handled outlives what is followed: a packet may be freed before another one is made of it. */
static __always_inline bool anything_handled(void)
{
	return track_stack || anything_followed();
}

static __always_inline bool is_frame(u64 head)
{
	return track_xdp && find_frame(head);
}

/*
 * From here on to the return of the function, or to the end of the BPF program, this packet is being handled; 0: one that
 * is not followed. Of a program no return address is known: leave_program() sees its end.
 */
static __always_inline void handle(const void *ctx, enum scratch_kind kind, u64 head)
{
	if (!track_stack)
		return;
	if (kind == SCRATCH_PROGRAM)
		note_handling(trampoline_stack(ctx), 0, head);
	else if (kind == SCRATCH_ENTRY_KPROBE || kind == SCRATCH_FOLLOW_KPROBE)
		note_handling(stack_pointer(ctx), return_slot(ctx), head);
}

/* Second tier: report the hit if the packet is followed, else nothing. */
static __always_inline int follow(const void *ctx, const struct call *call, enum scratch_kind kind,
				  const struct emission *what, bool no_values)
{
	struct packet packet = {.ctx = (void *)ctx, .no_values = no_values};
	const u64 head = head_of(call->skb);
	struct trace_followed *entry = find_followed(head);

	if (!entry && !is_frame(head)) {
		handle(ctx, kind, 0);
		return 0;
	}
	if (!is_on())
		return 0;
	if (entry && !belongs(entry, call)) {
		forget(head);
		handle(ctx, kind, 0);
		return 0;
	}
	packet.scratch = take_scratch(kind);
	if (!packet.scratch)
		return 0;
	if (read_packet(&packet, call)) {
		struct emission step = *what;

		if (track_xdp && !entry) {
			entry = born_of_frame(packet.copy);
			step.flags |= TRACE_BY_XDP;
		}
		if (entry) {
			emit(&packet, entry, &step);
			if (what->type == TRACE_HOP)
				handle(ctx, kind, head);
			apply_role(entry, &packet);
		}
	}
	give_back(packet.scratch, kind);
	return 0;
}

/* The entry of a packet already followed, or of one that matches now; NULL when it is neither. */
static __always_inline struct trace_followed *follow_or_match(const struct packet *packet, u32 *flags)
{
	const struct call *call = &packet->scratch->call;
	const u64 head = (u64)packet->copy->head;
	struct trace_followed *entry = anything_followed() ? find_followed(head) : NULL;

	if (entry && belongs(entry, call))
		return entry;
	if (entry)
		forget(head);
	entry = track_xdp ? born_of_frame(packet->copy) : NULL;
	if (entry) {
		*flags |= TRACE_BY_XDP;
		return entry;
	}
	if (is_ending(call->role) || !match(packet))
		return NULL;
	*flags |= TRACE_FIRST;
	return follow_new(packet);
}

/* First tier: packets are met here, so the filter runs. NULL: this one is not followed. */
static __always_inline struct trace_followed *meet(struct packet *packet, const struct call *call, struct emission *what)
{
	struct trace_followed *entry;

	if (!(match_needs_front ? read_packet(packet, call) : read_back(packet, call)))
		return NULL;
	entry = follow_or_match(packet, &what->flags);
	if (!entry)
		return NULL;
	if (!match_needs_front)
		read_front(packet);
	emit(packet, entry, what);
	return entry;
}

static __always_inline int enter(void *ctx, const struct call *call, enum scratch_kind kind)
{
	struct emission what = {.type = TRACE_HOP};
	struct packet packet = {.ctx = ctx, .scratch = my_scratch(kind)};
	struct trace_followed *entry;

	if (!packet.scratch)
		return 0;
	entry = meet(&packet, call, &what);
	handle(ctx, kind, entry ? (u64)packet.copy->head : 0);
	if (entry)
		apply_role(entry, &packet);
	return 0;
}

#endif /* SKBTRAIL_HIT_H */
