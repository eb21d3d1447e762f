/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* An XDP program that takes frames in several pieces (Linux 5.18). */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

SEC("xdp.frags")
int xdp_takes_pieces(struct xdp_md *frame)
{
	return frame->data == frame->data_end ? XDP_ABORTED : XDP_PASS;
}
