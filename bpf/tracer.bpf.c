/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The tracer of one session. Two tiers of programs: `entry` runs the filter where packets are first met, `follow`
 * only asks whether a packet is followed. Both exist for kprobes (single and multi) and for fentry.multi; beside
 * them one raw tracepoint for drops. moves.h has the programs where a packet gets a new head or children, programs.h
 * those that look at BPF programs, beside.h those at functions that take no packet.
 */
#include "kernel_types.h"

#include "trace_abi.h"

#include "kernel_compat.h"

#include "hit.h"
#include "probed.h"
#include "moves.h"
#include "programs.h"
#include "beside.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

static __always_inline u64 skb_argument(const struct trace_function *function, u64 argument)
{
	return function->kind == TRACE_SKB_DOUBLE_POINTER ? read_word(argument) : argument;
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

static __always_inline int follow_at_kprobe(struct pt_regs *ctx, bool no_values)
{
	const struct emission hop = {.type = TRACE_HOP};
	struct call call;

	return kprobe_call(ctx, &call) ? follow(ctx, &call, SCRATCH_FOLLOW_KPROBE, &hop, no_values) : 0;
}

/*
 * Nearly always there is nothing to follow. With the rest in a function of its own the program that says so has no stack
 * and saves no registers, which is a third of what it executes.
 */
static __noinline int follow_kprobe_call(struct pt_regs *ctx)
{
	return follow_at_kprobe(ctx, true);
}

SEC("?kprobe")
int follow_kprobe(struct pt_regs *ctx)
{
	return anything_known() ? follow_kprobe_call(ctx) : 0;
}

/* The same where expressions have values to show: their room has to be in the program itself. */
SEC("?kprobe")
int follow_kprobe_values(struct pt_regs *ctx)
{
	return anything_known() ? follow_at_kprobe(ctx, false) : 0;
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

static __always_inline int follow_at_fentry(void *ctx, bool no_values)
{
	const struct emission hop = {.type = TRACE_HOP};
	struct call call;

	return fentry_call(ctx, &call) ? follow(ctx, &call, SCRATCH_FOLLOW_FENTRY, &hop, no_values) : 0;
}

/* As follow_kprobe(). */
static __noinline int follow_fentry_call(void *ctx)
{
	return follow_at_fentry(ctx, true);
}

SEC("?fentry.multi")
int follow_fentry(void *ctx)
{
	return anything_known() ? follow_fentry_call(ctx) : 0;
}

SEC("?fentry.multi")
int follow_fentry_values(void *ctx)
{
	return anything_known() ? follow_at_fentry(ctx, false) : 0;
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
