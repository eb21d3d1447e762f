/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The always-on monitor: counts what the kernel drops, by reason and place, in per-CPU tables. Nothing happens for a
 * packet that is not dropped.
 */
#include "kernel_types.h"

#include "monitor_abi.h"

#include "kernel_compat.h"

#include "drop_facts.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Written by the agent before load. */
const volatile bool has_rx_socket = false;	/* v6.11, fourth argument of tracepoint kfree_skb */

const volatile __u32 host_netns_inum = 0;		/* 0: no packet is looked up by its addresses */

/* Preallocated: before v6.1 the allocator must not be called from here. */
struct drop_table {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 16384);	/* set by the agent */
	__type(key, struct monitor_drop_key);
	__type(value, struct monitor_drop_value);
} drops_a SEC(".maps"), drops_b SEC(".maps");

/*
 * The table in use. To empty a table without losing a count, the agent puts the other one here; when that update
 * returns, no program uses the old one any more (the kernel waits for them, v4.20, 1ae80cf31938).
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, u32);
	__array(values, struct drop_table);
} drop_counts SEC(".maps") = {
	.values = {&drops_a},
};

/* By reason alone: what found no room above. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 1024);	/* Linux 7.2 has about 250 reasons */
	__type(key, u32);
	__type(value, struct monitor_count);
} drop_overflow SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MONITOR_LOSS_CAUSES);
	__type(key, u32);
	__type(value, u64);
} losses SEC(".maps");

/* Names of the interfaces in keys, as they were when the key was new. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct monitor_interface_key);
	__type(value, struct monitor_interface);
} interfaces SEC(".maps");

/* What an exemplar says of the last packet of a key. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MONITOR_LAST_PACKETS);
	__type(key, struct monitor_drop_key);
	__type(value, struct monitor_last_packet);
} last_packets SEC(".maps");

/* Addresses of the pods of this node, kept by the agent; ambiguous ones are left out. All of its room is taken at once:
 * before Linux 6.1 the kernel warns of a program like this one with a map that is not. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MONITOR_POD_ADDRESSES);
	__type(key, struct monitor_address);
	__type(value, u32);
} pod_addresses SEC(".maps");

/* Interrupts drop packets too, and may come between load and store of a plain addition. */
static __always_inline void add(struct monitor_count *count, u32 bytes)
{
	__sync_fetch_and_add(&count->packets, 1);
	__sync_fetch_and_add(&count->bytes, bytes);
}

static __always_inline void count_loss(u32 cause)
{
	u64 *mine = bpf_map_lookup_elem(&losses, &cause);

	if (mine)
		__sync_fetch_and_add(mine, 1);
}

/* The entry of this key, made of zeros if need be; NULL when there is no room. For values that begin with a count. */
static __always_inline void *entry_of(void *table, const void *key)
{
	const struct monitor_drop_value none = {};
	void *entry = bpf_map_lookup_elem(table, key);

	if (entry)
		return entry;
	/* Whoever was faster has made it, too: the second look finds either. */
	(void)bpf_map_update_elem(table, key, &none, BPF_NOEXIST);
	return bpf_map_lookup_elem(table, key);
}

static __always_inline void remember_interface(const struct monitor_drop_key *key, const struct net_device *dev)
{
	const struct monitor_interface_key where = {.netns_inum = key->netns_inum, .ifindex = key->ifindex};
	struct monitor_interface interface = {};

	if (!key->netns_inum || !key->ifindex || (u32)BPF_CORE_READ(dev, ifindex) != key->ifindex)
		return;
	if (!bpf_probe_read_kernel(interface.name, sizeof(interface.name), &dev->name))
		(void)bpf_map_update_elem(&interfaces, &where, &interface, BPF_ANY);
}

static __always_inline void count_overflow(u32 reason, u32 bytes)
{
	struct monitor_count *count = entry_of(&drop_overflow, &reason);

	count_loss(count ? MONITOR_LOSS_TABLE_FULL : MONITOR_LOSS_OVERFLOW_FULL);
	if (count)
		add(count, bytes);
}

/* Once in a timer tick for each key and CPU: that is near enough to the last one, and a flood of drops does not feel it. */
static __always_inline void note_packet(struct monitor_drop_value *drop, const struct monitor_drop_key *key,
					const struct sk_buff *copy, const struct l3_place *place)
{
	const u64 now = bpf_jiffies64();
	struct monitor_last_packet packet = {};

	if (drop->noted_jiffies == now)
		return;
	drop->noted_jiffies = now;
	fill_last_packet(&packet, copy, place, key->l4_protocol);
	(void)bpf_map_update_elem(&last_packets, key, &packet, BPF_ANY);
}

static __always_inline void count_drop(const struct monitor_drop_key *key, const struct sk_buff *copy,
				       const struct l3_place *place)
{
	const u32 zero = 0;
	void *table = bpf_map_lookup_elem(&drop_counts, &zero);
	struct monitor_drop_value *drop;

	if (!table)
		return;
	drop = bpf_map_lookup_elem(table, key);
	if (!drop) {
		drop = entry_of(table, key);
		remember_interface(key, copy->dev);
	}
	if (!drop)
		return count_overflow(key->reason, copy->len);
	add(&drop->count, copy->len);
	note_packet(drop, key, copy, place);
}

static __always_inline u32 pod_at_end(const struct sk_buff *copy, const struct l3_place *place, u32 nth)
{
	struct monitor_address address;
	const u32 *netns_inum;

	if (!read_address(&address, copy, place, nth))
		return 0;
	netns_inum = bpf_map_lookup_elem(&pod_addresses, &address);
	return netns_inum ? *netns_inum : 0;
}

/*
 * Where the node forwards, a packet is at the bridge or at the node's own interface, and only its addresses tell whose
 * it is. The pod that sent it comes first: it is the one that waits for an answer.
 */
static __always_inline void fill_pod_end(struct monitor_drop_key *key, const struct sk_buff *copy,
					 const struct l3_place *place)
{
	if (!host_netns_inum || key->netns_inum != host_netns_inum || !place->offset || !is_ip(place->protocol))
		return;
	key->pod_netns_inum = pod_at_end(copy, place, 0);
	key->pod_end = MONITOR_POD_SENT;
	if (!key->pod_netns_inum) {
		key->pod_netns_inum = pod_at_end(copy, place, 1);
		key->pod_end = key->pod_netns_inum ? MONITOR_POD_RECEIVES : MONITOR_NO_POD_END;
	}
}

static __always_inline void fill_key(struct monitor_drop_key *key, const struct sk_buff *copy,
				     const struct sock *receiver, struct l3_place *place)
{
	fill_place(key, copy, receiver);
	find_l3(copy, place);
	fill_protocol(key, copy, place);
	fill_pod_end(key, copy, place);
	key->direction = direction_of(key, copy);
}

SEC("raw_tp/kfree_skb")
int monitor_drop(struct bpf_raw_tracepoint_args *ctx)
{
	u8 bytes[SKB_COPY_BYTES] __attribute__((aligned(8)));
	const struct sk_buff *copy = (const void *)bytes;
	const u32 size = bpf_core_type_size(struct sk_buff);
	struct monitor_drop_key key = {
		.location = ctx->args[1],
		.reason = has_drop_reason ? ctx->args[2] : 0,
	};
	struct l3_place place = {};

	if (bpf_probe_read_kernel(bytes, size > sizeof(bytes) ? sizeof(bytes) : size, (const void *)ctx->args[0])) {
		__builtin_memset(bytes, 0, sizeof(bytes));
		count_loss(MONITOR_LOSS_UNREADABLE);
	} else {
		fill_key(&key, copy, has_rx_socket ? (const void *)ctx->args[3] : NULL, &place);
	}
	count_drop(&key, copy, &place);
	return 0;
}
