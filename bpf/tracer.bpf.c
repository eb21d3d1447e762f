/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The tracer of one session. Two tiers of programs: `entry` runs the filter where packets are first met, `follow`
 * only asks whether a packet is followed. Both exist for kprobes (single and multi) and for fentry.multi; beside
 * them one raw tracepoint for drops, and programs where a packet gets a new head or children.
 */
#include "kernel_types.h"

#include "trace_abi.h"

#include "kernel_compat.h"

#include "count.h"
#include "packet.h"
#include "match.h"
#include "follow.h"
#include "handled.h"
#include "xdp.h"
#include "emit.h"
#include "probed.h"
#include "beside.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

static __always_inline u64 skb_argument(const struct trace_function *function, u64 argument)
{
	return function->kind == TRACE_SKB_DOUBLE_POINTER ? read_word(argument) : argument;
}

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

/* With XDP programs traced a packet may be known that no skb was followed for. */
static __always_inline bool anything_known(void)
{
	return track_xdp || anything_handled();
}

static __always_inline bool is_frame(u64 head)
{
	return track_xdp && find_frame(head);
}

/*
 * Global functions take numbers, but the verifier knows that the words of a trampoline's context are packets: read as
 * memory, they are numbers.
 */
static __always_inline u64 trampoline_word(const u64 *ctx, u32 position)
{
	return read_word((u64)(ctx + position));
}

/* A trampoline shows no registers. Its context lies on the stack, as long as the function runs that it is for. */
static __always_inline u64 trampoline_stack(const u64 *ctx)
{
	const u64 *volatile held = ctx;

	return read_word((u64)&held);
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
				  const struct emission *what)
{
	struct packet packet = {.ctx = (void *)ctx};
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

	if (!read_packet(packet, call))
		return NULL;
	entry = follow_or_match(packet, &what->flags);
	if (entry)
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

static __always_inline bool kprobe_call(struct pt_regs *ctx, struct call *call)
{
	const u64 address = kprobe_function(ctx);
	const struct trace_function *function = bpf_map_lookup_elem(&functions, &address);

	if (!function)
		return false;
	*call = (struct call){
		.address = address,
		.skb = skb_argument(function, kprobe_argument(ctx, function->argument)),
		.head_stolen = (u8)kprobe_argument(ctx, 1),
		.caller = capture_caller ? return_address(ctx) : 0,
		.role = function->role,
		.silent = function->silent,
	};
	return true;
}

SEC("?kprobe")
int entry_kprobe(struct pt_regs *ctx)
{
	struct call call;

	return is_on() && kprobe_call(ctx, &call) ? enter(ctx, &call, SCRATCH_ENTRY_KPROBE) : 0;
}

SEC("?kprobe")
int follow_kprobe(struct pt_regs *ctx)
{
	const struct emission hop = {.type = TRACE_HOP};
	struct call call;

	return anything_known() && kprobe_call(ctx, &call) ? follow(ctx, &call, SCRATCH_FOLLOW_KPROBE, &hop) : 0;
}

/*
 * v7.2, BPF_TRACE_FENTRY_MULTI: one program for many functions. libbpf 1.1 does not know the section name, so the
 * agent sets type and attach type. Arguments come only through bpf_get_func_arg(), and there are no registers to
 * show: the caller is the frame behind the traced function, which the agent finds in the stack.
 */
static __always_inline u64 fentry_argument(void *ctx, u32 position)
{
	u64 value = 0;

	(void)bpf_get_func_arg(ctx, position, &value);
	return value;
}

static __always_inline bool fentry_call(void *ctx, struct call *call)
{
	const u64 address = bpf_get_func_ip(ctx);
	const struct trace_function *function = bpf_map_lookup_elem(&functions, &address);

	if (!function)
		return false;
	*call = (struct call){
		.address = address,
		.skb = skb_argument(function, fentry_argument(ctx, function->argument)),
		.head_stolen = function->role == TRACE_ROLE_STEAL_HEAD ? (u8)fentry_argument(ctx, 1) : 0,
		.role = function->role,
		.silent = function->silent,
	};
	return true;
}

SEC("?fentry.multi")
int entry_fentry(void *ctx)
{
	struct call call;

	return is_on() && fentry_call(ctx, &call) ? enter(ctx, &call, SCRATCH_ENTRY_FENTRY) : 0;
}

SEC("?fentry.multi")
int follow_fentry(void *ctx)
{
	const struct emission hop = {.type = TRACE_HOP};
	struct call call;

	return anything_known() && fentry_call(ctx, &call) ? follow(ctx, &call, SCRATCH_FOLLOW_FENTRY, &hop) : 0;
}

SEC("?raw_tp/kfree_skb")
int drop_skb(struct bpf_raw_tracepoint_args *ctx)
{
	struct emission what = {.type = TRACE_DROP};
	const struct call call = {.address = ctx->args[1], .skb = ctx->args[0], .role = TRACE_ROLE_PLAIN};
	struct packet packet = {.ctx = ctx};

	if (!is_on())
		return 0;
	if (has_drop_reason) {
		what.drop_reason = ctx->args[2];
		what.flags |= TRACE_HAS_REASON;
	}
	packet.scratch = take_scratch(SCRATCH_DROP);
	if (!packet.scratch)
		return 0;
	(void)meet(&packet, &call, &what);
	give_back(packet.scratch, SCRATCH_DROP);
	return 0;
}

/*
 * Where identities are handed on. Global functions: the verifier looks at each once, and not again at every step of the
 * loops that call them.
 */

/* The skb has its new head now: the identity moves there. */
__noinline int expanded(u64 skb)
{
	struct trace_followed identity, *before = bpf_map_lookup_elem(&expanding, &skb);
	u64 head;

	if (!before)
		return 0;
	identity = *before;
	(void)bpf_map_delete_elem(&expanding, &skb);
	head = head_of(skb);
	identity.dying_skb = 0;
	if (!is_followed(head))
		(void)remember(head, &identity);
	return 0;
}

__noinline int child_of(u64 parent_skb, u64 child_skb)
{
	const struct trace_followed *parent;

	if (!child_skb)
		return 0;
	parent = find_followed(head_of(parent_skb));
	if (parent && !parent->dying_skb)
		follow_child(child_skb, parent);
	return 0;
}

#define MAX_CHILDREN 64		/* an IPv6 datagram of 64 KiB at the smallest MTU has 53; GSO_MAX_SEGS may be more */

/* Those beyond MAX_CHILDREN start as packets of their own. */
__noinline int children_of(u64 parent_skb, u64 child)
{
	for (int i = 0; i < MAX_CHILDREN; i++) {
		/* An error is returned as a pointer into the last page. */
		if (!child || child >= (u64)-4095)
			break;
		child_of(parent_skb, child);
		child = (u64)BPF_CORE_READ((struct sk_buff *)child, next);
	}
	return 0;
}

/*
 * A datagram that the socket layer has built piece by piece is a list of packets already: fragmenting it only parts
 * them. The first one is the datagram itself, the others are its children.
 */
__noinline int fragments_of(u64 datagram)
{
	const struct sk_buff *skb = (const void *)datagram;
	const struct skb_shared_info *shared = (const void *)(BPF_CORE_READ(skb, head) + BPF_CORE_READ(skb, end));

	return children_of(datagram, (u64)BPF_CORE_READ(shared, frag_list));
}

/*
 * v6.10, one kprobe.session for all functions that hand an identity on. A call is watched to its return only if its
 * packet is followed. The agent sets the attach type, which libbpf 1.1 does not know.
 */
SEC("?kprobe")
int moves_session(struct pt_regs *ctx)
{
	const u64 address = bpf_get_func_ip(ctx);
	const struct trace_function *function;
	u64 *cookie, skb;

	if (!anything_handled())
		return 1;
	function = bpf_map_lookup_elem(&functions, &address);
	cookie = session_cookie(ctx);
	if (!function || !cookie)
		return 1;
	if (function->move == TRACE_MOVE_BORN) {
		if (session_is_return(ctx)) {
			born_while(handling_of(stack_pointer(ctx), *cookie), return_value(ctx));
			return 0;
		}
		*cookie = find_handling(ctx, stack_pointer(ctx));
		return !*cookie;
	}
	if (session_is_return(ctx)) {
		skb = *cookie;
		if (function->move == TRACE_MOVE_EXPANDED)
			expanded(skb);
		else if (function->move == TRACE_MOVE_CHILD)
			child_of(skb, return_value(ctx));
		else
			children_of(skb, return_value(ctx));
		return 0;
	}
	skb = kprobe_argument(ctx, function->argument);
	if (!find_followed(head_of(skb)))
		return 1;
	if (function->move == TRACE_MOVE_FRAGMENTS) {
		fragments_of(skb);
		return 1;
	}
	if (function->move == TRACE_MOVE_COPIED) {
		child_of(skb, kprobe_argument(ctx, 0));
		return 1;
	}
	*cookie = skb;
	return 0;
}

/* The same before v6.10: a trampoline for each. fexit finds the return value behind the arguments. */
#define AT_RETURN(function, arguments, what)                                                      \
	SEC("?fexit/" #function)                                                                  \
	int fexit_##function(const u64 *ctx)                                                      \
	{                                                                                         \
		if (!anything_followed())                                                         \
			return 0;                                                                 \
		what(trampoline_word(ctx, 0), trampoline_word(ctx, arguments));                   \
		return 0;                                                                         \
	}

AT_RETURN(skb_copy, 2, child_of)
AT_RETURN(skb_copy_expand, 4, child_of)
AT_RETURN(__pskb_copy_fclone, 4, child_of)
AT_RETURN(ip_frag_next, 2, child_of)
AT_RETURN(ip6_frag_next, 2, child_of)
AT_RETURN(skb_segment, 2, children_of)
#undef AT_RETURN

#define AT_BIRTH(function, arguments)                                                             \
	SEC("?fexit/" #function)                                                                  \
	int fexit_##function(const u64 *ctx)                                                      \
	{                                                                                         \
		const u64 sp = trampoline_stack(ctx);                                             \
												  \
		born_while(handling_of(sp, find_handling((void *)ctx, sp)), trampoline_word(ctx, arguments)); \
		return 0;                                                                         \
	}

AT_BIRTH(__alloc_skb, 4)
AT_BIRTH(build_skb, 2)
#undef AT_BIRTH

SEC("?fexit/pskb_expand_head")
int fexit_pskb_expand_head(const u64 *ctx)
{
	if (anything_followed())
		expanded(trampoline_word(ctx, 0));
	return 0;
}

SEC("?fentry/skb_copy_header")
int fentry_skb_copy_header(const u64 *ctx)
{
	if (anything_followed())
		child_of(trampoline_word(ctx, 1), trampoline_word(ctx, 0));
	return 0;
}

SEC("?fentry/ip_do_fragment")
int fentry_ip_do_fragment(const u64 *ctx)
{
	if (anything_followed())
		fragments_of(trampoline_word(ctx, 2));
	return 0;
}

SEC("?fentry/ip6_fragment")
int fentry_ip6_fragment(const u64 *ctx)
{
	if (anything_followed())
		fragments_of(trampoline_word(ctx, 2));
	return 0;
}

/*
 * BPF programs that handle packets, at their entry and at their exit. These here are patterns: the agent loads a copy
 * for each program that it traces, with that program's numbers in place of the two constants; see
 * agent/kernel/traced_programs.h.
 */
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
	return anything_known() ? follow(ctx, &call, SCRATCH_PROGRAM, &what) : 0;
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
