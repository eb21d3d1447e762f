/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What every probe asks first: whether the trace runs, and what the function is that was called. */
#ifndef SKBTRAIL_PROBED_H
#define SKBTRAIL_PROBED_H

#include "kernel_compat.h"
#include "trace_abi.h"

/* Set by the agent once all is attached, cleared first of all when the trace ends. */
__u32 tracing_on = 0;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);	/* set by the agent */
	__type(key, u64);		/* address of the function */
	__type(value, struct trace_function);
} functions SEC(".maps");

static __always_inline bool is_on(void)
{
	return *(volatile u32 *)&tracing_on != 0;
}

#endif /* SKBTRAIL_PROBED_H */
