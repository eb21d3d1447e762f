/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What a BPF trampoline (fentry, fexit) hands to its programs: the arguments, and behind them the return value. */
#ifndef SKBTRAIL_TRAMPOLINE_H
#define SKBTRAIL_TRAMPOLINE_H

#include "kernel_compat.h"

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

#endif /* SKBTRAIL_TRAMPOLINE_H */
