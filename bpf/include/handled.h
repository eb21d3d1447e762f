/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Step 3, follow, by stack: which packet a task or interrupt is handling right now. Whoever calls a traced function with
 * a followed packet handles it until the function returns, and whatever runs deeper on the same kernel stack runs for
 * it. There are no probes at returns: a call lasts as long as its return address lies where the call put it, on the part
 * of the stack that is in use. A word that nobody has written over looks the same, so before something is said to belong
 * to a packet the kernel's own unwinder is asked, which takes a microsecond.
 */
#ifndef SKBTRAIL_HANDLED_H
#define SKBTRAIL_HANDLED_H

#include "follow.h"
#include "xdp.h"

const volatile bool track_stack = false;

#define USUAL_STACK_BYTES 16384	/* THREAD_SIZE of x86-64 and arm64 without KASAN */
#define HANDLED_AT_ONCE 4	/* of one stack: packets that are handled while another one is; a power of two */

struct handling {
	u64 sp;			/* at the entry of the function that was handed the packet */
	u64 slot;		/* where its return address lies, ...; 0: it is a BPF program, whose end is seen */
	u64 return_address;	/* ... which is this one */
	struct trace_followed identity;	/* without a head: a packet that is not followed */
};

/* A program's lookup in a map, from its entry to its return. */
struct lookup {
	u64 sp;			/* at its entry; 0: none is under way */
	u64 function;
	u64 caller;
	u64 map;
	u64 key;
	u64 handling;		/* number of the call that handles the packet */
};

struct handled_stack {
	u64 key;		/* of this entry: memory of this map is used again while somebody may look at it */
	u64 count;
	struct handling calls[HANDLED_AT_ONCE];	/* the outermost first */
	struct lookup lookup;	/* one at most: programs that are traced are not entered by another on their own stack */
};

/* By stack_of(). Tasks end without a word: what is left of them makes room for those that come. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);		/* set by the agent, when packets are tracked by stack */
	__type(key, u64);
	__type(value, struct handled_stack);
} handled_stacks SEC(".maps");

/* A new entry of the above: too large for the stack of a program. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct handled_stack);
} empty_stack SEC(".maps");

/*
 * The stack that `sp` lies on: where that of the task begins, or the number of this CPU. Interrupts have one stack for each
 * CPU, which they do not leave, and which begins at no address that `sp` would tell.
 */
static __always_inline u64 stack_of(u64 sp)
{
	const struct task_struct *task = (const void *)bpf_get_current_task();
	const u64 size = bpf_core_type_size(union thread_union);
	const u64 base = (u64)BPF_CORE_READ(task, stack);

	return sp - base < (size ? size : USUAL_STACK_BYTES) ? base : bpf_get_smp_processor_id();
}

static __always_inline struct handled_stack *find_stack(u64 sp)
{
	const u64 key = stack_of(sp);
	struct handled_stack *stack = bpf_map_lookup_elem(&handled_stacks, &key);

	return stack && stack->key == key ? stack : NULL;
}

/* Has this call not returned, seen from `sp`? */
static __always_inline bool lasts(const struct handling *call, u64 sp)
{
	return call->sp > sp && (!call->slot || read_word(call->slot) == call->return_address);
}

/* How many of the calls on this stack last: all up to the innermost one that does. */
static __always_inline u64 count_lasting(const struct handled_stack *stack, u64 sp)
{
	u64 count = stack->count;

#pragma unroll
	for (int i = HANDLED_AT_ONCE; i > 0; i--)
		if (count == (u64)i && !lasts(&stack->calls[i - 1], sp))
			count = i - 1;
	return count;
}

/* Number of the innermost call on this stack that handles a followed packet, from 1; 0: none does. */
__noinline int handling_number(u64 sp)
{
	const struct handled_stack *stack = find_stack(sp);

	return stack ? count_lasting(stack, sp) : 0;
}

#define UNWOUND_FRAMES 64

/* Return addresses of a stack, for the program that is looking at it. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64[UNWOUND_FRAMES]);
} unwound SEC(".maps");

__noinline int has_frame(u64 count, u64 return_address)
{
	const u32 zero = 0;
	const u64 *frames = bpf_map_lookup_elem(&unwound, &zero);

	if (!frames)
		return 0;
	for (int i = 0; i < UNWOUND_FRAMES && i < (int)count; i++)
		if (frames[i] == return_address)
			return 1;
	return 0;
}

static __always_inline u64 unwind(void *ctx)
{
	const u32 zero = 0;
	void *frames = bpf_map_lookup_elem(&unwound, &zero);
	const long bytes = frames ? bpf_get_stack(ctx, frames, UNWOUND_FRAMES * sizeof(u64), 0) : 0;

	return bytes > 0 ? bytes / sizeof(u64) : 0;
}

/*
 * Number of the innermost call on this stack that handles a packet and is really there, from 1; 0: there is none, or the
 * packet is not followed.
 */
static __always_inline int find_handling(void *ctx, u64 sp)
{
	const int number = handling_number(sp);
	const struct handled_stack *stack = number > 0 ? find_stack(sp) : NULL;
	u64 frames;

	if (!stack)
		return 0;
	frames = unwind(ctx);
	for (int i = HANDLED_AT_ONCE; i > 0; i--) {
		const struct handling *call = &stack->calls[i - 1];

		if (i <= number && (!call->slot || has_frame(frames, call->return_address)))
			return call->identity.head ? i : 0;
	}
	return 0;
}

/* The call of that number. NULL: it has been forgotten. Good until the program ends. */
static __always_inline const struct handling *handling_of(u64 sp, int number)
{
	const struct handled_stack *stack = number > 0 ? find_stack(sp) : NULL;

	return stack ? &stack->calls[(number - 1) & (HANDLED_AT_ONCE - 1)] : NULL;
}

/* NULL: a packet that is not followed. */
static __always_inline bool same_packet(const struct trace_followed *handled, const struct trace_followed *entry)
{
	if (!entry)
		return !handled->head;
	return handled->head == entry->head && handled->born_ns == entry->born_ns;
}

/* Of a packet, or of a frame that has no skb yet. */
static __always_inline const struct trace_followed *known_by(u64 head)
{
	const struct trace_followed *entry = find_followed(head);
	const struct frame *frame = !entry && track_xdp ? find_frame(head) : NULL;

	return frame ? &frame->identity : entry;
}

static __always_inline struct handled_stack *new_stack(u64 sp)
{
	const u32 zero = 0;
	const u64 key = stack_of(sp);
	const struct handled_stack *empty = bpf_map_lookup_elem(&empty_stack, &zero);
	struct handled_stack *stack;

	if (!empty || bpf_map_update_elem(&handled_stacks, &key, empty, BPF_ANY))
		return NULL;
	stack = bpf_map_lookup_elem(&handled_stacks, &key);
	if (stack)
		stack->key = key;
	return stack;
}

/*
 * From here to its return the function that was entered at `sp` handles the packet whose head is `head`. 0: one that is
 * not followed; whatever happens meanwhile happens for that one.
 */
__noinline int note_handling(u64 sp, u64 slot, u64 head)
{
	const struct trace_followed *entry = head ? known_by(head) : NULL;
	struct handled_stack *stack = find_stack(sp);
	struct handling *call;
	u64 count;

	if (!entry && (head || !stack))
		return 0;
	if (!stack)
		stack = new_stack(sp);
	if (!stack) {
		count_loss(TRACE_LOSS_TRACKING);
		return 0;
	}
	count = count_lasting(stack, sp);
	stack->count = count;
	/* Deeper calls with the same packet say nothing new, and calls for others matter only within. */
	if (count > 0 ? same_packet(&stack->calls[(count - 1) & (HANDLED_AT_ONCE - 1)].identity, entry) : !entry)
		return 0;
	/* The innermost one makes room: those around it last longer. */
	if (count >= HANDLED_AT_ONCE)
		count = HANDLED_AT_ONCE - 1;
	call = &stack->calls[count & (HANDLED_AT_ONCE - 1)];
	call->sp = sp;
	call->slot = slot;
	call->return_address = slot ? read_word(slot) : 0;
	if (entry)
		call->identity = *entry;
	else
		call->identity.head = 0;
	stack->count = count + 1;
	return 0;
}

/* What was entered at `sp`, and all within it, has returned. */
__noinline int end_handling(u64 sp)
{
	struct handled_stack *stack = find_stack(sp);

	if (stack)
		stack->count = count_lasting(stack, sp);
	return 0;
}

/* The kernel has made an skb while it handled this packet: what is made of one packet belongs to it. */
static __always_inline void born_while(const struct handling *call, u64 skb)
{
	if (call && skb)
		follow_born(skb, &call->identity);
}

#endif /* SKBTRAIL_HANDLED_H */
