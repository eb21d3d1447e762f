/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The only contract between bpf/ and agent/: what the tracer writes into its ring, and the values the agent puts
 * into its maps. Plain C11 and valid C++20; integer types come from the includer (linux/types.h or kernel_types.h).
 */
#ifndef SKBTRAIL_TRACE_ABI_H
#define SKBTRAIL_TRACE_ABI_H

#define TRACE_ABI_VERSION 5

#define TRACE_COMM_LEN 16	/* TASK_COMM_LEN */
#define TRACE_IFNAME_LEN 16	/* IFNAMSIZ */
#define TRACE_L3_BYTES 96	/* IPv6 + 36 bytes of extension headers + TCP */
#define TRACE_STACK_DEPTH 32	/* frames of a stack record */
#define TRACE_WINDOW_BYTES 80	/* packet bytes that a filter reads without a helper call: ports behind the longest IPv4 header */
#define TRACE_FILTER_SCRATCH 128	/* working memory of a filter: M[16] and its spills */
#define TRACE_SKB_COPY_BYTES 256	/* of a struct sk_buff; whatever lies behind is not copied */
#define TRACE_EXPRESSION_SCRATCH 256	/* working memory of a field expression */
#define TRACE_FOLLOWED_ALWAYS (1ULL << 63)	/* of followed_count: packets may be known that are not followed */
#define TRACE_SHARED_BYTES 512	/* of a struct skb_shared_info; whatever lies behind is not copied */
#define TRACE_VALUES 4		/* of expressions, in one record */
#define TRACE_MAP_NAME 16	/* BPF_OBJ_NAME_LEN */
#define TRACE_MAP_BYTES 256	/* of a key or a value of a BPF map; whatever lies behind is not copied */

/* Kinds of record. */
enum trace_record_type {
	TRACE_HOP = 1,		/* a followed packet entered a traced function */
	TRACE_DROP = 2,		/* the kernel freed a followed packet as dropped (kfree_skb tracepoint) */
	TRACE_PROGRAM_ENTRY = 3,	/* a followed packet is handed to a BPF program */
	TRACE_PROGRAM_EXIT = 4,	/* the BPF program has decided about it */
};

/* What a record knows; a field whose bit is clear is zero and means nothing. */
enum trace_record_flags {
	TRACE_HAS_DEV = 1 << 0,		/* ifindex, ifname, mtu */
	TRACE_HAS_NETNS = 1 << 1,	/* netns_inum */
	TRACE_HAS_COOKIE = 1 << 2,	/* netns_cookie (kernels from 5.14) */
	TRACE_HAS_L3 = 1 << 3,		/* l3, l3_len: packet bytes from the network header on */
	TRACE_HAS_VLAN = 1 << 4,	/* vlan_tci: hardware-accelerated or in-frame outer tag */
	TRACE_HAS_PARENT = 1 << 5,	/* parent_head, parent_born */
	TRACE_HAS_REASON = 1 << 6,	/* drop_reason (kernels from 5.17) */
	TRACE_HAS_STACK = 1 << 7,	/* record ends with stack_len bytes of return addresses */
	TRACE_FIRST = 1 << 8,		/* first record of this packet: the filter matched here */
	TRACE_IS_CHILD = 1 << 9,	/* identity was inherited by copy, segment or fragment */
	TRACE_HAS_VALUES = 1 << 10,	/* a struct trace_values follows the record */
	TRACE_HAS_BYTES = 1 << 11,	/* a struct trace_bytes follows the record and its values, before any stack */
	TRACE_HAS_CGROUP = 1 << 12,	/* cgroup_id: the packet has a socket, which belongs to a cgroup2 */
	TRACE_KERNEL_SOCKET = 1 << 13,	/* the packet has a socket that the kernel made for itself; only when asked for */
	TRACE_BY_XDP = 1 << 14,		/* the packet is known from an XDP program that had its frame */
	TRACE_IS_FRAME = 1 << 15,	/* it is a frame without an skb: at an XDP program */
	TRACE_HAS_DUMP = 1 << 16,	/* a struct trace_dump follows the record, its values and bytes, before any stack */
	TRACE_BY_STACK = 1 << 17,	/* known because it happened on a stack where a followed packet was being handled */
	TRACE_IS_CALL = 1 << 18,	/* a function was called that takes no packet: nothing of one is in the record */
	TRACE_HAS_MAP = 1 << 19,	/* a struct trace_map follows the record, before any stack; only with TRACE_IS_CALL */
};

/* How a probe reads its skb and what the function means for following. One entry per traced function. */
enum trace_skb_kind {
	TRACE_SKB_POINTER = 0,		/* struct sk_buff * */
	TRACE_SKB_DOUBLE_POINTER = 1,	/* struct sk_buff ** */
	TRACE_SKB_NONE = 2,		/* it takes none */
};

/* What a function does to the packet it takes; everything that ends or moves an identity. */
enum trace_role {
	TRACE_ROLE_PLAIN = 0,
	TRACE_ROLE_RELEASE_DATA = 1,	/* skb_release_data(): drops one reference to the head */
	TRACE_ROLE_FREE_HEAD = 2,	/* skb_free_head(): within the above */
	TRACE_ROLE_FREE_SKB = 3,	/* kfree_skbmem(), napi_skb_cache_put(): the struct itself, after its head went */
	TRACE_ROLE_STEAL_HEAD = 4,	/* kfree_skb_partial(skb, head_stolen): the head lives on in another skb */
	TRACE_ROLE_EXPAND_HEAD = 5,	/* pskb_expand_head(): the skb gets another head */
	TRACE_ROLE_END = 6,		/* skb_release_data() where nobody asks for what comes after it */
};

/* What a function has done to the packet it takes when it returns; everything that hands an identity on. */
enum trace_move {
	TRACE_MOVE_NONE = 0,
	TRACE_MOVE_EXPANDED = 1,	/* pskb_expand_head(): the skb has its new head */
	TRACE_MOVE_CHILD = 2,		/* skb_copy(), ip_frag_next(), ...: returns a packet made from it */
	TRACE_MOVE_CHILDREN = 3,	/* skb_segment(): returns a list of them */
	TRACE_MOVE_FRAGMENTS = 4,	/* ip_do_fragment(): parts the packets of its frag_list, so before it begins */
	TRACE_MOVE_COPIED = 5,		/* skb_copy_header(new, old): new is a copy of old, so before it begins */
	TRACE_MOVE_BORN = 6,		/* __alloc_skb(), ...: returns a packet made of nothing */
};

/* What a function that a BPF program calls does with an element of a map: it takes the map, a key, perhaps a value. */
enum trace_map_operation {
	TRACE_MAP_NONE = 0,
	TRACE_MAP_LOOKUP = 1,		/* returns where the value lies, or NULL */
	TRACE_MAP_FIND = 2,		/* returns where the element of a hash table lies that has the value, or NULL */
	TRACE_MAP_UPDATE = 3,
	TRACE_MAP_DELETE = 4,
};

/* Value of the map `functions`; key: address of the function. */
struct trace_function {
	__u8 argument;		/* position of the skb, from 0; above 5 it lies on the stack */
	__u8 kind;		/* enum trace_skb_kind */
	__u8 role;		/* enum trace_role */
	__u8 silent;		/* attached for its role only: its hits are not reported */
	__u8 move;		/* enum trace_move */
	__u8 by_program;	/* reported only when a BPF program that is traced calls it */
	__u8 map_operation;	/* enum trace_map_operation */
	__u8 reserved;
};

/* Value of the array `program_texts`, which is sorted: machine code of a BPF program that is traced. */
struct trace_program_text {
	__u64 start;
	__u64 end;
};

/* What `id` of a place is. */
enum trace_place_kind {
	TRACE_PLACE_NETNS = 0,		/* inum of a network namespace: all of it */
	TRACE_PLACE_INTERFACE = 1,	/* the same, and one interface in it */
	TRACE_PLACE_CGROUP = 2,		/* id of a cgroup2: packets of its sockets */
};

/* Key of the map `pod_scope`: where a packet belongs to a pod that was asked for. The value means nothing. */
struct trace_place {
	__u64 id;
	__u32 ifindex;		/* TRACE_PLACE_INTERFACE only, else 0 */
	__u32 kind;		/* enum trace_place_kind */
};

/* Value of the map `followed`; key: skb->head. The agent ages entries by last_ns. */
struct trace_followed {
	__u64 head;		/* identity, see struct trace_record */
	__u64 born_ns;
	__u64 parent_head;
	__u64 parent_born;
	__u64 last_ns;		/* last hit, CLOCK_MONOTONIC; before born_ns: none yet, and made on its parent's stack */
	__u64 dying_skb;	/* the skb that gave up the last reference to the head; 0 while it lives */
};

/* Why a hit of a followed packet was not delivered, or a packet was not followed. Index of `losses`. */
enum trace_loss {
	TRACE_LOSS_RING = 0,		/* ring full: a hit was not delivered */
	TRACE_LOSS_TRACKING = 1,	/* table of followed packets full: a matching packet was not followed */
	TRACE_LOSS_BUDGET = 2,		/* over the allowed events or rate: a hit was not delivered */
	TRACE_LOSS_CAUSES = 3,
};

/* Per-CPU counters, added up by the agent. */
struct trace_counters {
	__u64 hits;		/* hits of followed packets: delivered + lost ring + lost budget */
	__u64 packets;		/* packets that the filter matched */
	__u64 children;		/* copies, segments and fragments of those */
	__u64 lost[TRACE_LOSS_CAUSES];
};

/* What field expressions gave; stands behind struct trace_record when TRACE_HAS_VALUES is set. */
struct trace_values {
	__u64 valid;		/* bit n: value[n] could be read */
	__u64 value[TRACE_VALUES];
};

#define TRACE_MAX_SNAPLEN 16384	/* packet bytes in one record; a multiple of 8 */

/* Head of the packet's bytes, which follow it: from the link header on if there is one, else from the network header. */
struct trace_bytes {
	__u16 room;		/* bytes behind this struct */
	__u16 captured;		/* of them the packet's; those in page fragments are not read */
	__u32 length;		/* of the packet from the same place on, fragments included */
	__u16 vlan_proto;	/* a tag that is not in the bytes, see vlan_tci; host byte order, 0: none */
	__u8 has_link;		/* the bytes begin with the link header */
	__u8 reserved[5];
};

/*
 * Head of copies of the kernel's structs, which follow it: first the struct sk_buff, then its skb_shared_info. The rooms
 * are multiples of 8.
 */
struct trace_dump {
	__u16 skb_room;		/* 0: not asked for */
	__u16 skb_bytes;	/* of them the struct's */
	__u16 shared_room;	/* 0: not asked for */
	__u16 shared_bytes;	/* 0: it could not be read */
};

/* An element of a BPF map that a program has asked for, set or deleted. */
struct trace_map {
	__u32 id;		/* the kernel's, of the map */
	__u8 operation;		/* enum trace_map_operation */
	__u8 found;		/* of a lookup: there is such an element */
	__u16 reserved;
	__u32 key_size;		/* bytes of each key of this map, ... */
	__u32 value_size;	/* ... and of each value */
	__u16 key_bytes;	/* of them in `key`; 0: they could not be read */
	__u16 value_bytes;	/* of them in `value`; 0: there is none, it is no plain memory, or it could not be read */
	__u32 reserved2;
	char name[TRACE_MAP_NAME];
	__u8 key[TRACE_MAP_BYTES];
	__u8 value[TRACE_MAP_BYTES];
};

struct trace_record {
	__u16 type;		/* enum trace_record_type */
	__u16 size;		/* whole record, with values, bytes, dump, map and stack */
	__u32 flags;		/* enum trace_record_flags */
	__u64 time_ns;		/* CLOCK_MONOTONIC */
	__u64 head;		/* identity: skb->head when first seen ... */
	__u64 born_ns;		/* ... and when that was */
	__u64 parent_head;
	__u64 parent_born;
	__u64 skb;		/* address of the struct sk_buff; 0: it has none yet */
	__u64 function;		/* address of the function; of the drop's location for TRACE_DROP; 0 for BPF programs */
	__u64 caller;		/* return address, 0 unless asked for */
	__u64 netns_cookie;
	__u64 cgroup_id;	/* of the packet's socket, in cgroup2; only when asked for */
	__u32 netns_inum;
	__u32 ifindex;
	__u32 mark;
	__u32 len;		/* skb->len, bytes */
	__u32 mtu;
	__u32 cpu;
	__u32 pid;		/* thread group id of the current task */
	__u32 drop_reason;	/* enum skb_drop_reason, subsystem in the upper 16 bits */
	__u32 program_id;	/* the kernel's id of the BPF program; 0 for functions */
	__s32 verdict;		/* what it returned; TRACE_PROGRAM_EXIT only */
	__u16 protocol;		/* skb->protocol, host byte order */
	__u16 vlan_tci;		/* host byte order */
	__u16 l3_len;		/* valid bytes in l3 */
	__u16 stack_len;	/* bytes of stack after this struct, values, bytes, dump and map */
	char comm[TRACE_COMM_LEN];
	char ifname[TRACE_IFNAME_LEN];
	__u8 l3[TRACE_L3_BYTES];
};

#ifdef __cplusplus
static_assert(sizeof(trace_function) == 8);
static_assert(sizeof(trace_values) == 8 + 8 * TRACE_VALUES);
static_assert(sizeof(trace_bytes) == 16);
static_assert(sizeof(trace_dump) == 8);
static_assert(sizeof(trace_place) == 16);
static_assert(sizeof(trace_map) == 40 + 2 * TRACE_MAP_BYTES);
static_assert(sizeof(trace_record) == 264, "wire layout changed: bump TRACE_ABI_VERSION");
#else
_Static_assert(sizeof(struct trace_function) == 8, "wire layout changed: bump TRACE_ABI_VERSION");
_Static_assert(sizeof(struct trace_place) == 16, "wire layout changed: bump TRACE_ABI_VERSION");
_Static_assert(sizeof(struct trace_record) == 264, "wire layout changed: bump TRACE_ABI_VERSION");
#endif

#endif /* SKBTRAIL_TRACE_ABI_H */
