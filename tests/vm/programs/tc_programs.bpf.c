/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* BPF programs of TC that are traced in tests; see tests/vm/suite/47_programs.py. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

#define DROPPED_PORT 7501
#define UDP_PORT_OFFSET (14 + 20 + 2)

SEC("tc")
int tc_lets_everything_pass(struct __sk_buff *packet)
{
	return packet->len ? TC_ACT_OK : TC_ACT_PIPE;
}

SEC("tc")
int tc_drops_one_port(struct __sk_buff *packet)
{
	__be16 port = 0;

	bpf_skb_load_bytes(packet, UDP_PORT_OFFSET, &port, sizeof(port));
	return port == bpf_htons(DROPPED_PORT) ? TC_ACT_SHOT : TC_ACT_OK;
}

/* The verifier does not trust this type, so a tracer sees more arguments than there are. */
SEC("tc")
int tc_untyped(void *packet)
{
	return ((struct __sk_buff *)packet)->len ? TC_ACT_OK : TC_ACT_PIPE;
}
