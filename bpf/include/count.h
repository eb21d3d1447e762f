/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What was seen and what was lost, per CPU; the agent adds it up. */
#ifndef SKBTRAIL_COUNT_H
#define SKBTRAIL_COUNT_H

#include "kernel_compat.h"
#include "trace_abi.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct trace_counters);
} counters SEC(".maps");

static __always_inline struct trace_counters *my_counters(void)
{
	const u32 zero = 0;

	return bpf_map_lookup_elem(&counters, &zero);
}

/* Atomic, since programs of other kinds run in the middle of this one, in an interrupt or by preemption. */
static __always_inline void count_one(__u64 *counter)
{
	__sync_fetch_and_add(counter, 1);
}

static __always_inline void count_loss(enum trace_loss cause)
{
	struct trace_counters *mine = my_counters();

	if (mine)
		count_one(&mine->lost[cause]);
}

/* A hit that could not be looked at; whether its packet would have matched nobody knows. */
static __always_inline void count_skipped_hit(void)
{
	struct trace_counters *mine = my_counters();

	if (mine) {
		count_one(&mine->hits);
		count_one(&mine->lost[TRACE_LOSS_RING]);
	}
}

#endif /* SKBTRAIL_COUNT_H */
