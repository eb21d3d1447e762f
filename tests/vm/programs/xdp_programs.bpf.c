/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* XDP programs that are traced in tests; see tests/vm/suite/48_xdp.py. */
#include <linux/bpf.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

#define DROPPED_PORT 7501
#define UDP_PORT_OFFSET (14 + 20 + 2)
#define WAY_OUT 77		/* index of the interface that packets are sent on by */

static __always_inline int port_of(const struct xdp_md *frame)
{
	const void *data = (const void *)(long)frame->data;
	const void *end = (const void *)(long)frame->data_end;
	const __be16 *port = data + UDP_PORT_OFFSET;

	return (const void *)(port + 1) <= end ? bpf_ntohs(*port) : 0;
}

SEC("xdp")
int xdp_lets_everything_pass(struct xdp_md *frame)
{
	return frame->data == frame->data_end ? XDP_ABORTED : XDP_PASS;
}

SEC("xdp")
int xdp_drops_one_port(struct xdp_md *frame)
{
	return port_of(frame) == DROPPED_PORT ? XDP_DROP : XDP_PASS;
}

SEC("xdp")
int xdp_sends_on(struct xdp_md *frame)
{
	return port_of(frame) ? bpf_redirect(WAY_OUT, 0) : XDP_PASS;
}
