/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The contract between the always-on monitor and the agent: keys and values of its maps. Plain C11 and valid C++20;
 * integer types come from the includer (linux/types.h or kernel_types.h).
 */
#ifndef SKBTRAIL_MONITOR_ABI_H
#define SKBTRAIL_MONITOR_ABI_H

#define MONITOR_IFNAME_LEN 16	/* IFNAMSIZ */

/* Which way a packet went through the network namespace that dropped it. */
enum monitor_direction {
	MONITOR_DIRECTION_UNKNOWN = 0,
	MONITOR_INGRESS = 1,	/* received by an interface and not yet on its way out of another one */
	MONITOR_EGRESS = 2,	/* sent from here, or forwarded and on its way out */
	MONITOR_NO_NETWORK = 3,	/* no network packet at all: an skb of a netlink or unix socket */
};

/* Whose packet it is, of one that the node's own namespace dropped. */
enum monitor_pod_end {
	MONITOR_NO_POD_END = 0,
	MONITOR_POD_SENT = 1,		/* its source address is a pod's */
	MONITOR_POD_RECEIVES = 2,	/* its destination is, and its source is not */
};

/* Key of the map `pod_addresses`; the value is the inode number of the pod's namespace. */
struct monitor_address {
	__u8 version;		/* 4 or 6 */
	__u8 bytes[16];		/* network byte order; IPv4 uses the first four, the rest is 0 */
};

#define MONITOR_POD_ADDRESSES 8192

/* Drops with the same key are counted together: never an event per packet, never an address or port. */
struct monitor_drop_key {
	__u64 location;		/* return address of the call that freed the packet */
	__u64 netns_cookie;	/* 0: not known, or a kernel without (before 5.14) */
	__u32 netns_inum;	/* 0: not known */
	__u32 reason;		/* enum skb_drop_reason, subsystem in the upper 16 bits; 0 where the kernel has none */
	__u32 ifindex;		/* 0: not known */
	__u16 l3_protocol;	/* EtherType, host byte order; 0: not known */
	__u8 l4_protocol;	/* IPPROTO_*; 0: not known, or not IP */
	__u8 direction;		/* enum monitor_direction */
	__u32 pod_netns_inum;	/* of the pod that pod_end is about; 0: none */
	__u8 pod_end;		/* enum monitor_pod_end */
	__u8 unused[3];		/* 0 */
};

struct monitor_count {
	__u64 packets;
	__u64 bytes;		/* sum of skb->len: link-layer header included where it was still, or already, there */
};

/* Value of the tables of drops; one for each CPU. */
struct monitor_drop_value {
	struct monitor_count count;
	__u64 noted_jiffies;	/* when a packet of this key was last put into last_packets */
};

/* A packet with this key, the last one or one of the same timer tick. Value of the map `last_packets`. */
struct monitor_last_packet {
	__u64 dropped_ns;	/* bpf_ktime_get_ns() */
	__u8 saddr[16];		/* network byte order; IPv4 uses the first four */
	__u8 daddr[16];
	__u16 sport;		/* host byte order */
	__u16 dport;
	__u8 ip_version;	/* 4 or 6; 0: addresses are not known */
	__u8 has_ports;
	__u8 unused[2];		/* 0 */
};

#define MONITOR_LAST_PACKETS 4096

struct monitor_interface_key {
	__u32 netns_inum;
	__u32 ifindex;
};

struct monitor_interface {
	char name[MONITOR_IFNAME_LEN];
};

/* What could not be counted where it belongs. Index of the map `losses`. */
enum monitor_loss {
	MONITOR_LOSS_TABLE_FULL = 0,	/* a drop went to the overflow table, which keeps its reason only */
	MONITOR_LOSS_OVERFLOW_FULL = 1,	/* a drop went nowhere: the overflow table is full too */
	MONITOR_LOSS_UNREADABLE = 2,	/* the skb could not be read; counted with reason and location only */
	MONITOR_LOSS_CAUSES = 3,
};

#ifdef __cplusplus
static_assert(sizeof(monitor_drop_key) == 40);
static_assert(sizeof(monitor_address) == 17);
static_assert(sizeof(monitor_last_packet) == 48);
#else
_Static_assert(sizeof(struct monitor_drop_key) == 40, "a key with holes would be several keys");
#endif

#endif /* SKBTRAIL_MONITOR_ABI_H */
