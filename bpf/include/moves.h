/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Where identities are handed on. Global functions: the verifier looks at each once, and not again at every step of the
 * loops that call them.
 */
#ifndef SKBTRAIL_MOVES_H
#define SKBTRAIL_MOVES_H

#include "follow.h"
#include "handled.h"
#include "hit.h"
#include "probed.h"
#include "trampoline.h"

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

#define AT_ENTRY(function, what)                                                                  \
	SEC("?fentry/" #function)                                                                 \
	int fentry_##function(const u64 *ctx)                                                     \
	{                                                                                         \
		if (anything_followed())                                                          \
			what;                                                                     \
		return 0;                                                                         \
	}

AT_ENTRY(skb_copy_header, child_of(trampoline_word(ctx, 1), trampoline_word(ctx, 0)))
AT_ENTRY(ip_do_fragment, fragments_of(trampoline_word(ctx, 2)))
AT_ENTRY(ip6_fragment, fragments_of(trampoline_word(ctx, 2)))
#undef AT_ENTRY

#endif /* SKBTRAIL_MOVES_H */
