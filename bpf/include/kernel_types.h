/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The kernel types that we read, with only the fields that we read. libbpf relocates each access to the running
 * kernel's layout. A flavour (struct x___6_1) names the last release that has it.
 */
#ifndef SKBTRAIL_KERNEL_TYPES_H
#define SKBTRAIL_KERNEL_TYPES_H

#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;

#ifndef NULL
#define NULL ((void *)0)
#endif

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ns_common {
	unsigned int inum;
};

/* v6.18: the id of any namespace; struct net::net_cookie became this number. */
struct ns_common___id {
	u64 ns_id;
};

struct net_device;

struct net {
	struct ns_common ns;
	u64 net_cookie;			/* v5.14 as plain u64 */
	struct net_device *loopback_dev;
};

struct net___id {
	struct ns_common___id ns;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct device {
	struct device *parent;		/* of a network device: the hardware it is of; NULL: none */
};

struct xdp_rxq_info {
	struct net_device *dev;
};

struct netdev_rx_queue {
	struct xdp_rxq_info xdp_rxq;
};

#define XDP_HAS_FRAGS 1		/* of xdp_buff::flags, v5.18 */
#define CACHE_LINE 64		/* SMP_CACHE_BYTES, which struct skb_shared_info is aligned to; x86-64 and arm64 */

struct xdp_buff {
	void *data;
	void *data_end;
	void *data_hard_start;
	struct xdp_rxq_info *rxq;
	u32 frame_sz;
	u32 flags;			/* v5.18 */
};

struct net_device {
	char name[16];
	int ifindex;
	unsigned int mtu;
	possible_net_t nd_net;
	struct device dev;
	struct netdev_rx_queue *_rx;
	unsigned int num_rx_queues;
};

struct dst_entry {
	struct net_device *dev;
};

struct sock;

struct sock_common {
	unsigned short skc_family;
	possible_net_t skc_net;
	volatile unsigned char skc_state;
	struct sock *skc_listener;	/* of a request socket */
};

struct kernfs_node {
	u64 id;				/* v5.5 as plain u64; the inode number in cgroup2 */
};

struct cgroup {
	struct kernfs_node *kn;
};

struct sock_cgroup_data {
	struct cgroup *cgroup;
};

/* Until v5.15 one word is a pointer to a cgroup, or what cgroup v1 says about the socket. */
struct sock_cgroup_data___5_14 {
	u64 val;
};

struct sock {
	struct sock_common __sk_common;
	u8 sk_kern_sock : 1;			/* v4.12 */
	u16 sk_protocol;			/* v5.6 as plain u16 */
	struct sock_cgroup_data sk_cgrp_data;	/* CONFIG_SOCK_CGROUP_DATA */
};

struct sock___5_14 {
	struct sock_cgroup_data___5_14 sk_cgrp_data;
};

typedef struct {
	int counter;
} atomic_t;

struct sk_buff;

struct skb_shared_info {
	struct sk_buff *frag_list;
	atomic_t dataref;
	unsigned int xdp_frags_size;	/* v5.18 */
};

struct sk_buff {
	struct sk_buff *next;
	struct net_device *dev;
	struct sock *sk;
	unsigned long _skb_refdst;
	unsigned int len;
	unsigned int data_len;
	__u8 cloned : 1;
	__u8 nohdr : 1;
	__u32 mark;
	int skb_iif;
	__be16 protocol;
	__be16 vlan_proto;
	__u16 vlan_tci;
	__u16 network_header;
	__u16 mac_header;
	unsigned int tail;		/* offsets from head on 64-bit kernels */
	unsigned int end;
	unsigned char *head;
	unsigned char *data;
	u64 tstamp;			/* of a packet that TCP sends: when it may leave, by CLOCK_MONOTONIC */
};

/* Until v6.2 a bit says whether vlan_tci is valid; then vlan_all (protocol and tag) != 0 says so. */
struct sk_buff___6_1 {
	__u8 vlan_present : 1;
};

/* A kernel stack. */
union thread_union {
	unsigned long stack[1];
};

struct nsproxy {
	struct net *net_ns;
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

struct task_struct {
	void *stack;			/* its lowest address */
	int pid;
	int tgid;
	struct nsproxy *nsproxy;
	struct css_set *cgroups;
};

struct bpf_map {
	u32 id;
	enum bpf_map_type map_type;
	u32 key_size;
	u32 value_size;
	char name[16];
};

/* Of a hash table. The value lies behind the key, at the next multiple of 8. */
struct htab_elem {
	char key[0];
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

/* v5.8 */
struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

#pragma clang attribute pop

#endif /* SKBTRAIL_KERNEL_TYPES_H */
