/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The contract between the programs that time packets and the agent. Plain C11 and valid C++20; integer types come from
 * the includer (linux/types.h or kernel_types.h).
 */
#ifndef SKBTRAIL_LATENCY_ABI_H
#define SKBTRAIL_LATENCY_ABI_H

/* The stages of a packet's way. */
enum latency_stage {
	LATENCY_TRANSMIT = 0,	/* from TCP, which notes the time, to the queueing discipline */
	LATENCY_QDISC = 1,	/* in the queueing discipline */
	LATENCY_WIRE = 2,	/* from a virtual device to the one at its other end */
	LATENCY_RECEIVE = 3,	/* from the device to the socket */
	LATENCY_SOCKET = 4,	/* in the socket, until it is read */
	LATENCY_STAGES = 5,
};

/* Bucket n has what took less than 2^(10 + 2n) ns and no earlier one has; the last has all that took longer. */
#define LATENCY_BUCKETS 13
#define LATENCY_FIRST_BOUND_BITS 10

/* A function of the kernel. */
struct latency_code {
	__u64 begins;
	__u64 bytes;		/* 0: there is none */
};

#define LATENCY_UDP_READERS 3

struct latency_key {
	__u32 netns_inum;	/* of the interface */
	__u32 ifindex;
	__u32 stage;		/* enum latency_stage */
};

struct latency_times {
	__u64 sum_ns;
	__u64 buckets[LATENCY_BUCKETS];
};

#ifdef __cplusplus
static_assert(sizeof(latency_key) == 12);
#else
_Static_assert(sizeof(struct latency_key) == 12, "a key with holes would be several keys");
#endif

#endif /* SKBTRAIL_LATENCY_ABI_H */
