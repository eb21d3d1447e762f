/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Functions that take no packet: reported when they are called while a followed one is handled. Some of them are
 * reported only if a BPF program calls them that is traced; of those that are about an element of a map, the element too.
 */
#ifndef SKBTRAIL_BESIDE_H
#define SKBTRAIL_BESIDE_H

#include "emit.h"
#include "handled.h"
#include "probed.h"

/* Machine code of the BPF programs that are traced, by address. The agent keeps it, and says how much there is. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);		/* set by the agent, when helpers are traced */
	__type(key, u32);
	__type(value, struct trace_program_text);
} program_texts SEC(".maps");
__u32 program_text_count = 0;

#define SEARCH_STEPS 14		/* 2^14 texts */

__noinline int in_program(u64 address)
{
	u32 low = 0, high = *(volatile u32 *)&program_text_count;

	for (int i = 0; i < SEARCH_STEPS && low < high; i++) {
		u32 middle = low + (high - low) / 2;
		const struct trace_program_text *text = bpf_map_lookup_elem(&program_texts, &middle);

		if (!text)
			return 0;
		if (address >= text->start && address < text->end)
			return 1;
		if (address < text->start)
			high = middle;
		else
			low = middle + 1;
	}
	return 0;
}

/* The description of the function that was entered, if it is to be reported for this caller. */
static __always_inline const struct trace_function *called_beside(struct pt_regs *ctx, u64 address)
{
	const struct trace_function *function = bpf_map_lookup_elem(&functions, &address);

	if (!function || !is_on() || (function->by_program && !in_program(return_address(ctx))))
		return NULL;
	return function;
}

static __always_inline void tell_call(struct packet *packet, const struct call *call,
				      const struct trace_followed *identity)
{
	const struct emission what = {.type = TRACE_HOP, .flags = TRACE_BY_STACK | TRACE_IS_CALL};

	packet->copy = (const struct sk_buff *)packet->scratch->skb;	/* zeros */
	packet->scratch->call = *call;
	packet->scratch->transient = *identity;
	emit(packet, &packet->scratch->transient, &what);
}

SEC("?kprobe")
int beside_kprobe(struct pt_regs *ctx)
{
	struct packet packet = {.ctx = ctx, .is_call = true, .scratch = my_scratch(SCRATCH_BESIDE)};
	const u64 address = kprobe_function(ctx);
	const struct trace_function *function = called_beside(ctx, address);
	const struct call call = {
		.address = address,
		.caller = capture_caller || (function && function->by_program) ? return_address(ctx) : 0,
	};
	const struct handling *handling;

	if (!function || !packet.scratch)
		return 0;
	handling = handling_of(stack_pointer(ctx), find_handling(ctx, stack_pointer(ctx)));
	if (handling)
		tell_call(&packet, &call, &handling->identity);
	return 0;
}

/* What a lookup finds is known when it returns. */
static __always_inline void begin_lookup(struct pt_regs *ctx, u64 function, int handling)
{
	struct handled_stack *stack = find_stack(stack_pointer(ctx));

	if (!stack)
		return;
	/* The kernel has no room to watch the return of any number of calls: that one it has not told. */
	if (stack->lookup.sp)
		count_skipped_hit();
	stack->lookup = (struct lookup){
		.sp = stack_pointer(ctx),
		.function = function,
		.caller = return_address(ctx),
		.map = kprobe_argument(ctx, 0),
		.key = kprobe_argument(ctx, 1),
		.handling = handling,
	};
}

SEC("?kprobe")
int map_kprobe(struct pt_regs *ctx)
{
	struct packet packet = {
		.ctx = ctx, .is_call = true, .is_map_access = true, .scratch = my_scratch(SCRATCH_BESIDE)};
	const struct call call = {.address = kprobe_function(ctx), .caller = return_address(ctx)};
	const struct trace_function *function = called_beside(ctx, call.address);
	const struct handling *handling;
	int number;

	if (!function || !packet.scratch)
		return 0;
	number = find_handling(ctx, stack_pointer(ctx));
	handling = handling_of(stack_pointer(ctx), number);
	if (!handling)
		return 0;
	if (function->map_operation == TRACE_MAP_LOOKUP || function->map_operation == TRACE_MAP_FIND) {
		begin_lookup(ctx, call.address, number);
		return 0;
	}
	packet.scratch->access = (struct map_access){
		.map = kprobe_argument(ctx, 0),
		.key = kprobe_argument(ctx, 1),
		.value = function->map_operation == TRACE_MAP_UPDATE ? kprobe_argument(ctx, 2) : 0,
		.operation = function->map_operation,
	};
	tell_call(&packet, &call, &handling->identity);
	return 0;
}

/*
 * Whether this is the return of the lookup that is under way on this stack. A helper may look something up through another
 * function that is watched, too: that one lies deeper on the stack.
 */
static __always_inline bool returns_here(struct pt_regs *ctx, const struct lookup *lookup)
{
	const u64 function = has_func_ip ? bpf_get_func_ip(ctx) : 0;

	return lookup->sp && stack_pointer(ctx) >= lookup->sp && (!function || function == lookup->function);
}

SEC("?kprobe")
int map_return_kprobe(struct pt_regs *ctx)
{
	struct packet packet = {
		.ctx = ctx, .is_call = true, .is_map_access = true, .scratch = my_scratch(SCRATCH_BESIDE)};
	struct handled_stack *stack = is_on() ? find_stack(stack_pointer(ctx)) : NULL;
	const struct trace_function *function;
	struct lookup *lookup = stack ? &stack->lookup : NULL;
	struct call call;

	if (!lookup || !packet.scratch || !returns_here(ctx, lookup))
		return 0;
	call = (struct call){.address = lookup->function, .caller = lookup->caller};
	function = bpf_map_lookup_elem(&functions, &call.address);
	packet.scratch->access = (struct map_access){
		.map = lookup->map,
		.key = lookup->key,
		.value = return_value(ctx),
		.operation = function ? function->map_operation : TRACE_MAP_LOOKUP,
	};
	lookup->sp = 0;
	tell_call(&packet, &call, &stack->calls[(lookup->handling - 1) & (HANDLED_AT_ONCE - 1)].identity);
	return 0;
}

#endif /* SKBTRAIL_BESIDE_H */
