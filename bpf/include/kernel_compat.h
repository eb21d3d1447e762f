/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Every difference between kernels and architectures, each with the release that changed it. */
#ifndef SKBTRAIL_KERNEL_COMPAT_H
#define SKBTRAIL_KERNEL_COMPAT_H

#include "kernel_types.h"

#include <linux/bpf.h>
#if defined(__TARGET_ARCH_x86)
#include <linux/ptrace.h>
#endif

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

/* Written by the agent before load, from feature probes. */
const volatile bool has_func_ip = true;		/* v5.15, bpf_get_func_ip() for kprobes */
const volatile bool has_drop_reason = false;	/* v5.17, third argument of tracepoint kfree_skb */
const volatile __u32 kprobe_ip_shift = 1;		/* without bpf_get_func_ip(): ip - shift is the function */

static __always_inline u64 read_word(u64 address)
{
	u64 word = 0;

	/* An unreadable address reads as 0, which no caller takes for a packet. */
	(void)bpf_probe_read_kernel(&word, sizeof(word), (const void *)address);
	return word;
}

/*
 * One load from the context at a constant offset. In C the compiler would merge the loads of a switch into one at a
 * variable offset, which the verifier refuses.
 */
#define CTX_WORD(regs, field)                                                                          \
	({                                                                                             \
		u64 word_;                                                                             \
		asm volatile("%0 = *(u64 *)(%1 + %2)"                                                  \
			     : "=r"(word_)                                                             \
			     : "r"(regs), "i"(__builtin_offsetof(struct pt_regs, field)));             \
		word_;                                                                                 \
	})

#if defined(__TARGET_ARCH_x86)
#define ARGUMENT_REGISTERS 6
static __always_inline u64 argument_register(const struct pt_regs *regs, u32 position)
{
	switch (position) {
	case 0: return CTX_WORD(regs, rdi);
	case 1: return CTX_WORD(regs, rsi);
	case 2: return CTX_WORD(regs, rdx);
	case 3: return CTX_WORD(regs, rcx);
	case 4: return CTX_WORD(regs, r8);
	case 5: return CTX_WORD(regs, r9);
	}
	return 0;
}
static __always_inline u64 return_value(const struct pt_regs *regs) { return regs->rax; }
static __always_inline u64 stack_pointer(const struct pt_regs *regs) { return regs->rsp; }
static __always_inline u64 instruction_pointer(const struct pt_regs *regs) { return regs->rip; }
/* At function entry the return address lies on top of the stack, the seventh argument above it. */
static __always_inline u64 return_address(const struct pt_regs *regs) { return read_word(regs->rsp); }
#define STACK_ARGUMENTS_OFFSET 8
/* Where it lies as long as the call lasts. */
static __always_inline u64 return_slot(const struct pt_regs *regs) { return regs->rsp; }
#elif defined(__TARGET_ARCH_arm64)
/* What the kernel's struct pt_regs begins with; spelled out, so that it can be compiled on any machine. */
struct user_pt_regs {
	u64 regs[31];
	u64 sp;
	u64 pc;
	u64 pstate;
};
#define pt_regs user_pt_regs
#define ARGUMENT_REGISTERS 8
static __always_inline u64 argument_register(const struct pt_regs *regs, u32 position)
{
	switch (position) {
	case 0: return CTX_WORD(regs, regs[0]);
	case 1: return CTX_WORD(regs, regs[1]);
	case 2: return CTX_WORD(regs, regs[2]);
	case 3: return CTX_WORD(regs, regs[3]);
	case 4: return CTX_WORD(regs, regs[4]);
	case 5: return CTX_WORD(regs, regs[5]);
	case 6: return CTX_WORD(regs, regs[6]);
	case 7: return CTX_WORD(regs, regs[7]);
	}
	return 0;
}
static __always_inline u64 return_value(const struct pt_regs *regs) { return regs->regs[0]; }
static __always_inline u64 stack_pointer(const struct pt_regs *regs) { return regs->sp; }
static __always_inline u64 instruction_pointer(const struct pt_regs *regs) { return regs->pc; }
static __always_inline u64 return_address(const struct pt_regs *regs) { return regs->regs[30]; }
#define STACK_ARGUMENTS_OFFSET 0
/* Nobody has put it anywhere yet: that of the caller lies behind its frame pointer, and lasts a little longer. */
static __always_inline u64 return_slot(const struct pt_regs *regs) { return regs->regs[29] + 8; }
#else
#error "skbtrail knows the calling conventions of x86-64 and arm64 only"
#endif

static __always_inline u64 kprobe_argument(const struct pt_regs *regs, u32 position)
{
	if (position < ARGUMENT_REGISTERS)
		return argument_register(regs, position);
	return read_word(stack_pointer(regs) + STACK_ARGUMENTS_OFFSET + 8 * (u64)(position - ARGUMENT_REGISTERS));
}

static __always_inline u64 kprobe_function(struct pt_regs *regs)
{
	if (has_func_ip)
		return bpf_get_func_ip(regs);
	return instruction_pointer(regs) - kprobe_ip_shift;
}

/*
 * Kernel functions that programs may call, v6.10. The agent writes the call over an instruction that only names it,
 * by the BTF id of the running kernel; see agent/kernel/kfunc_calls.h. Both take the context since v7.0 and nothing
 * before: handing it over suits either.
 */
#define CALL_KFUNC(type, magic, ctx)                                                                   \
	({                                                                                             \
		register void *r1_ asm("r1") = (ctx);                                                  \
		register type r0_ asm("r0");                                                           \
		asm volatile("r0 = " magic                                                             \
			     : "=r"(r0_), "+r"(r1_)                                                    \
			     :                                                                         \
			     : "r2", "r3", "r4", "r5", "memory");                                      \
		r0_;                                                                                   \
	})

/* Whether a kprobe.session program runs at the return of its function, not at the entry. */
static __always_inline bool session_is_return(struct pt_regs *regs)
{
	return (u8)CALL_KFUNC(u64, "0x5b7a0010", regs);
}

/* One word that lasts from the entry of a call to its return. */
static __always_inline u64 *session_cookie(struct pt_regs *regs)
{
	return CALL_KFUNC(u64 *, "0x5b7a0011", regs);
}

static __always_inline bool has_vlan_bit(void)
{
	return bpf_core_field_exists(struct sk_buff___6_1, vlan_present);
}

static __always_inline bool skb_has_vlan_tag(const struct sk_buff *skb)
{
	const struct sk_buff___6_1 *old = (const void *)skb;

	if (has_vlan_bit())
		return BPF_CORE_READ_BITFIELD(old, vlan_present);
	return skb->vlan_proto || skb->vlan_tci;	/* v6.2, 354259fa73e2 */
}

/* The cookie of a namespace, never reused while the machine runs; 0 on kernels before v5.14. */
static __always_inline u64 netns_cookie(const struct net *net)
{
	const struct net___id *newer = (const void *)net;

	if (bpf_core_field_exists(newer->ns.ns_id))
		return BPF_CORE_READ(newer, ns.ns_id);
	if (bpf_core_field_exists(net->net_cookie) && bpf_core_field_size(net->net_cookie) == 8)
		return BPF_CORE_READ(net, net_cookie);
	return 0;
}

#define TCP_TIME_WAIT_STATE 6		/* enum in net/tcp_states.h, part of the kernel's interface to user space */
#define TCP_NEW_SYN_RECV_STATE 12

/*
 * A packet may carry what is only the beginning of a socket: an answer to a SYN has a request, which belongs to its
 * listener; a packet that is late for a connection has what is left of that, which belongs to nobody.
 */
static __always_inline const struct sock *full_socket(const struct sock *sk)
{
	const u8 state = BPF_CORE_READ(sk, __sk_common.skc_state);

	if (state == TCP_NEW_SYN_RECV_STATE)
		return BPF_CORE_READ(sk, __sk_common.skc_listener);
	return state == TCP_TIME_WAIT_STATE ? NULL : sk;
}

/* The cgroup2 of a socket, as it was when the socket was made; 0: none. Kernel sockets are in the root, as a rule. */
static __always_inline u64 socket_cgroup(const struct sock *any)
{
	const struct sock *sk = full_socket(any);
	const struct sock___5_14 *old = (const void *)sk;
	const struct cgroup *cgroup = NULL;

	if (!sk)
		return 0;
	if (bpf_core_field_exists(sk->sk_cgrp_data.cgroup)) {
		/* v5.15, 8520e224f547 */
		cgroup = BPF_CORE_READ(sk, sk_cgrp_data.cgroup);
	} else if (bpf_core_field_exists(old->sk_cgrp_data.val)) {
		const u64 word = BPF_CORE_READ(old, sk_cgrp_data.val);

		/* The low bits say that it is no pointer. */
		cgroup = word & 3 ? NULL : (const struct cgroup *)word;
	}
	return cgroup ? BPF_CORE_READ(cgroup, kn, id) : 0;
}

/*
 * Whether the kernel made a socket for itself: a mount of NFS, a tunnel, what answers for a namespace (echo replies,
 * resets). Its namespace is that of who mounted; its cgroup says nothing, since the kernel connects from threads of its
 * own.
 */
static __always_inline bool is_kernel_socket(const struct sock *any)
{
	const struct sock *sk = full_socket(any);

	return sk && bpf_core_field_exists(sk->sk_kern_sock) && BPF_CORE_READ_BITFIELD_PROBED(sk, sk_kern_sock);
}

#endif /* SKBTRAIL_KERNEL_COMPAT_H */
