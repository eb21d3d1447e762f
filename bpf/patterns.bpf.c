/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What programs that trace BPF programs are verified against before there is one to trace: one for each kind, attached
 * nowhere. By its name a trace knows it for ours. See agent/kernel/program_patterns.h.
 */
#include "kernel_types.h"

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("tc")
int skbtrail_tc(struct __sk_buff *packet)
{
	return packet->len == 0;
}

SEC("xdp")
int skbtrail_xdp(struct xdp_md *frame)
{
	return frame->data == frame->data_end ? XDP_DROP : XDP_PASS;
}
