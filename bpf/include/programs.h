/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * BPF programs that handle packets, at their entry and at their exit. These here are patterns: the agent loads a copy
 * for each program that it traces, with that program's numbers in place of the two constants; see
 * agent/kernel/traced_programs.h.
 */
#ifndef SKBTRAIL_PROGRAMS_H
#define SKBTRAIL_PROGRAMS_H

#include "hit.h"
#include "trampoline.h"
#include "xdp.h"

#define NUMBER_OF_COPY(magic)                                                                          \
	({                                                                                             \
		u64 number_;                                                                           \
		asm volatile("%0 = " magic : "=r"(number_));                                           \
		number_;                                                                               \
	})
#define PROGRAM_ID NUMBER_OF_COPY("0x1b7a0020")
/*
 * Offset in the context: the return value lies behind the arguments, and not every program's type tells how many. The
 * verifier adds no number to a context that is larger than 2^29.
 */
#define RETURN_OFFSET NUMBER_OF_COPY("0x1b7a0021")

/* Nothing else says that its packet is no longer being handled. */
static __always_inline void leave_program(const u64 *ctx)
{
	if (track_stack)
		end_handling(trampoline_stack(ctx));
}

SEC("?fentry")
int tc_entry(const u64 *ctx)
{
	struct emission what = {.type = TRACE_PROGRAM_ENTRY, .program_id = PROGRAM_ID};
	const struct call call = {.skb = trampoline_word(ctx, 0), .role = TRACE_ROLE_PLAIN};
	struct packet packet = {.ctx = (void *)ctx};

	if (!is_on())
		return 0;
	packet.scratch = take_scratch(SCRATCH_PROGRAM);
	if (!packet.scratch)
		return 0;
	handle(ctx, SCRATCH_PROGRAM, meet(&packet, &call, &what) ? (u64)packet.copy->head : 0);
	give_back(packet.scratch, SCRATCH_PROGRAM);
	return 0;
}

SEC("?fexit")
int tc_exit(const u64 *ctx)
{
	const struct emission what = {
		.type = TRACE_PROGRAM_EXIT,
		.program_id = PROGRAM_ID,
		.verdict = read_word((u64)ctx + RETURN_OFFSET),
	};
	const struct call call = {.skb = trampoline_word(ctx, 0), .role = TRACE_ROLE_PLAIN};

	leave_program(ctx);
	return anything_known() ? follow(ctx, &call, SCRATCH_PROGRAM, &what, false) : 0;
}

/* Whether it is followed now. */
static __always_inline bool meet_frame(struct packet *packet, struct emission *what)
{
	struct trace_followed *entry = skb_of_frame(packet);
	struct frame *frame = entry ? NULL : sent_here(packet);

	if (frame) {
		what->flags |= TRACE_BY_XDP;
		entry = &frame->identity;
	} else if (!entry && match(packet)) {
		what->flags |= TRACE_FIRST;
		entry = follow_frame(packet);
	}
	if (entry)
		emit(packet, entry, what);
	return entry != NULL;
}

static __always_inline void leave_frame(struct packet *packet, struct emission *what)
{
	struct trace_followed *entry = skb_of_frame(packet);
	struct frame *frame = entry ? NULL : find_frame((u64)packet->copy->head);

	if (entry) {
		emit(packet, entry, what);
		leave_skb(entry, packet, what->verdict);
	} else if (frame) {
		what->flags |= TRACE_BY_XDP;
		emit(packet, &frame->identity, what);
		decide_frame(frame, packet, what->verdict);
	}
}

static __always_inline int look_at_frame(const u64 *ctx, struct emission *what)
{
	struct packet packet = {.ctx = (void *)ctx, .is_frame = true};

	if (what->type == TRACE_PROGRAM_EXIT)
		leave_program(ctx);
	if (!is_on())
		return 0;
	packet.scratch = take_scratch(SCRATCH_PROGRAM);
	if (!packet.scratch)
		return 0;
	if (read_frame(&packet, trampoline_word(ctx, 0))) {
		if (what->type == TRACE_PROGRAM_ENTRY) {
			const bool followed = meet_frame(&packet, what);

			handle(ctx, SCRATCH_PROGRAM, followed ? (u64)packet.copy->head : 0);
		} else {
			leave_frame(&packet, what);
		}
	}
	give_back(packet.scratch, SCRATCH_PROGRAM);
	return 0;
}

SEC("?fentry")
int xdp_entry(const u64 *ctx)
{
	struct emission what = {.type = TRACE_PROGRAM_ENTRY, .flags = TRACE_IS_FRAME, .program_id = PROGRAM_ID};

	return look_at_frame(ctx, &what);
}

SEC("?fexit")
int xdp_exit(const u64 *ctx)
{
	struct emission what = {
		.type = TRACE_PROGRAM_EXIT,
		.flags = TRACE_IS_FRAME,
		.program_id = PROGRAM_ID,
		.verdict = read_word((u64)ctx + RETURN_OFFSET),
	};

	return look_at_frame(ctx, &what);
}

#endif /* SKBTRAIL_PROGRAMS_H */
