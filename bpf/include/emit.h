/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Step 4, emit: one ring reservation for a hit of a followed packet, and only then. */
#ifndef SKBTRAIL_EMIT_H
#define SKBTRAIL_EMIT_H

#include "count.h"
#include "follow.h"
#include "handled.h"
#include "map_access.h"
#include "match.h"
#include "packet.h"

const volatile bool capture_l3 = true;
const volatile bool capture_cgroup = false;
const volatile bool capture_caller = false;
const volatile bool capture_stack = false;
const volatile bool capture_values = false;	/* of field expressions */
const volatile bool capture_xdp_values = false;	/* the same at XDP programs */
const volatile __u32 capture_bytes = 0;		/* of the packet, at most; a multiple of 8 up to TRACE_MAX_SNAPLEN */
const volatile bool capture_skb = false;	/* a copy of the struct */
const volatile bool capture_shared = false;	/* a copy of its skb_shared_info */
const volatile bool has_budget = false;
const volatile __u64 wakeup_bytes = 1 << 20;

/* Hits that may still be delivered; the agent refills it by --rate. Meaningless without has_budget. */
__s64 budget_left __attribute__((aligned(64))) = 0;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16 << 20);	/* bytes; set by the agent: --ring-size */
} trace_records SEC(".maps");

#define STACK_BYTES (TRACE_STACK_DEPTH * sizeof(u64))

/* What may stand behind a record, in this order. Each is 0 or a size, and known to the verifier. */
static __always_inline bool has_values(const struct packet *packet)
{
	if (packet->is_call || packet->no_values)
		return false;
	return packet->is_frame ? capture_xdp_values : capture_values;
}

static __always_inline u64 values_bytes(const struct packet *packet)
{
	return has_values(packet) ? sizeof(struct trace_values) : 0;
}

static __always_inline u64 packet_bytes(const struct packet *packet)
{
	return capture_bytes && !packet->is_call ? sizeof(struct trace_bytes) + capture_bytes : 0;
}

static __always_inline u32 shared_size(void)
{
	const u32 size = bpf_core_type_size(struct skb_shared_info);

	return size > TRACE_SHARED_BYTES ? TRACE_SHARED_BYTES : size;
}

static __always_inline u32 skb_room(void)
{
	return capture_skb ? (skb_size() + 7) & ~7 : 0;
}

static __always_inline u32 shared_room(void)
{
	return capture_shared ? (shared_size() + 7) & ~7 : 0;
}

/* Nothing without an skb can be dumped. */
static __always_inline bool has_dump(const struct packet *packet)
{
	return !packet->is_frame && !packet->is_call && (capture_skb || capture_shared);
}

static __always_inline u64 dump_bytes(const struct packet *packet)
{
	return has_dump(packet) ? sizeof(struct trace_dump) + skb_room() + shared_room() : 0;
}

static __always_inline u64 map_bytes(const struct packet *packet)
{
	return packet->is_map_access ? sizeof(struct trace_map) : 0;
}

static __always_inline u64 stack_bytes(void)
{
	return capture_stack ? STACK_BYTES : 0;
}

static __always_inline bool take_budget(void)
{
	if (!has_budget)
		return true;
	if (*(volatile s64 *)&budget_left <= 0)
		return false;
	/* Not a fetch (v5.12): at most one hit a CPU more than asked for. */
	__sync_fetch_and_add(&budget_left, -1);
	return true;
}

static __always_inline void fill_socket(struct trace_record *record, const struct sock *sk)
{
	if (!sk)
		return;
	record->cgroup_id = socket_cgroup(sk);
	if (record->cgroup_id)
		record->flags |= TRACE_HAS_CGROUP;
	if (is_kernel_socket(sk))
		record->flags |= TRACE_KERNEL_SOCKET;
}

static __always_inline void fill_device(struct trace_record *record, const struct sk_buff *copy)
{
	const struct net *net;

	if (copy->dev) {
		record->flags |= TRACE_HAS_DEV;
		record->ifindex = BPF_CORE_READ(copy->dev, ifindex);
		record->mtu = BPF_CORE_READ(copy->dev, mtu);
		(void)bpf_probe_read_kernel(record->ifname, sizeof(record->ifname), &copy->dev->name);
	}
	net = packet_netns(copy);
	if (net) {
		record->flags |= TRACE_HAS_NETNS;
		record->netns_inum = BPF_CORE_READ(net, ns.inum);
		record->netns_cookie = netns_cookie(net);
		if (record->netns_cookie)
			record->flags |= TRACE_HAS_COOKIE;
		if (capture_cgroup)
			fill_socket(record, socket_at_home(copy, net));
	}
}

static __always_inline void fill_l3(struct trace_record *record, const struct packet *packet)
{
	const struct sk_buff *copy = packet->copy;
	const struct l3_place *l3 = &packet->scratch->l3;
	u32 linear;

	if (l3->has_vlan) {
		record->flags |= TRACE_HAS_VLAN;
		record->vlan_tci = l3->vlan_tci;
	}
	if (!capture_l3 || !l3->offset || copy->tail <= l3->offset)
		return;
	linear = copy->tail - l3->offset;
	if (bpf_probe_read_kernel(record->l3, sizeof(record->l3), copy->head + l3->offset))
		return;
	record->flags |= TRACE_HAS_L3;
	record->l3_len = linear < TRACE_L3_BYTES ? linear : TRACE_L3_BYTES;
}

static __always_inline void fill_identity(struct trace_record *record, const struct trace_followed *entry)
{
	record->head = entry->head;
	record->born_ns = entry->born_ns;
	record->parent_head = entry->parent_head;
	record->parent_born = entry->parent_born;
	if (entry->parent_head)
		record->flags |= TRACE_HAS_PARENT | TRACE_IS_CHILD;
}

static __always_inline void fill_record(struct trace_record *record, const struct packet *packet,
					struct trace_followed *entry)
{
	const struct sk_buff *copy = packet->copy;
	const struct call *call = &packet->scratch->call;

	record->time_ns = bpf_ktime_get_ns();
	entry->last_ns = record->time_ns;
	record->skb = packet->is_frame || packet->is_call ? 0 : call->skb;
	record->function = call->address;
	record->caller = call->caller;
	record->mark = copy->mark;
	record->len = copy->len;
	record->protocol = packet->scratch->l3.protocol ? packet->scratch->l3.protocol : bpf_ntohs(copy->protocol);
	record->cpu = bpf_get_smp_processor_id();
	record->pid = bpf_get_current_pid_tgid() >> 32;
	(void)bpf_get_current_comm(record->comm, sizeof(record->comm));
	fill_identity(record, entry);
	if (packet->is_call)
		return;
	fill_device(record, copy);
	fill_l3(record, packet);
}

/* The reader polls; it is woken only when much has piled up, since a wake-up costs more than ten records. */
static __always_inline u64 wakeup_flags(const struct trace_counters *mine)
{
	if ((mine->hits & 63) == 0 && bpf_ringbuf_query(&trace_records, BPF_RB_AVAIL_DATA) >= wakeup_bytes)
		return BPF_RB_FORCE_WAKEUP;
	return BPF_RB_NO_WAKEUP;
}

struct emission {
	u16 type;
	u16 reserved;
	u32 flags;
	u32 drop_reason;
	u32 program_id;		/* 0: not at a BPF program */
	s32 verdict;
};

static __always_inline u64 record_bytes(const struct packet *packet)
{
	return sizeof(struct trace_record) + values_bytes(packet) + packet_bytes(packet) + dump_bytes(packet) +
	       map_bytes(packet) + stack_bytes();
}

static __always_inline void fill_values(struct trace_record *record, const struct packet *packet)
{
	struct trace_values *values = (void *)(record + 1);

	(void)RUN_EXPRESSION(VALUES_PAD, packet->scratch, packet->scratch->call.skb);
	__builtin_memcpy(values, &packet->scratch->values, sizeof(*values));
	record->flags |= TRACE_HAS_VALUES;
}

static __always_inline void fill_bytes(struct trace_record *record, const struct packet *packet)
{
	struct trace_bytes *bytes = (void *)(record + 1) + values_bytes(packet);
	const struct sk_buff *copy = packet->copy;
	const u32 frame = packet->scratch->l3.offset ? frame_offset(packet) : 0;
	const u32 start = frame ? frame : packet->scratch->l3.offset;
	u32 captured;

	__builtin_memset(bytes, 0, sizeof(*bytes));
	bytes->room = capture_bytes;
	record->flags |= TRACE_HAS_BYTES;
	if (!start)
		return;
	bytes->has_link = frame != 0;
	bytes->length = copy->len + (u32)(copy->data - copy->head) - start;
	if (skb_has_vlan_tag(copy))
		bytes->vlan_proto = bpf_ntohs(copy->vlan_proto);
	captured = copy->tail > start ? copy->tail - start : 0;
	if (captured > capture_bytes)
		captured = capture_bytes;
	/* The verifier must see the bound on the very register that is handed over. */
	barrier_var(captured);
	if (captured > TRACE_MAX_SNAPLEN || captured > capture_bytes)
		return;
	if (!bpf_probe_read_kernel(bytes + 1, captured, copy->head + start))
		bytes->captured = captured;
}

static __always_inline void fill_dump(struct trace_record *record, const struct packet *packet)
{
	struct trace_dump *dump = (void *)(record + 1) + values_bytes(packet) + packet_bytes(packet);
	const struct sk_buff *copy = packet->copy;

	*dump = (struct trace_dump){.skb_room = skb_room(), .shared_room = shared_room()};
	record->flags |= TRACE_HAS_DUMP;
	if (capture_skb && !bpf_probe_read_kernel(dump + 1, skb_size(), packet->scratch->skb))
		dump->skb_bytes = skb_size();
	if (capture_shared &&
	    !bpf_probe_read_kernel((void *)(dump + 1) + skb_room(), shared_size(), copy->head + copy->end))
		dump->shared_bytes = shared_size();
}

static __always_inline void fill_stack(struct trace_record *record, const struct packet *packet)
{
	void *stack = (void *)(record + 1) + values_bytes(packet) + packet_bytes(packet) + dump_bytes(packet) +
		      map_bytes(packet);
	const long bytes = bpf_get_stack(packet->ctx, stack, STACK_BYTES, 0);

	if (bytes > 0) {
		record->flags |= TRACE_HAS_STACK;
		record->stack_len = bytes;
	}
}

static __always_inline void emit(const struct packet *packet, struct trace_followed *entry,
				 const struct emission *what)
{
	struct trace_counters *mine = my_counters();
	struct trace_record *record;

	if (!mine || packet->scratch->call.silent)
		return;
	count_one(&mine->hits);
	if (!take_budget()) {
		count_one(&mine->lost[TRACE_LOSS_BUDGET]);
		return;
	}
	record = bpf_ringbuf_reserve(&trace_records, record_bytes(packet), 0);
	if (!record) {
		count_one(&mine->lost[TRACE_LOSS_RING]);
		return;
	}
	/* Ring memory is recycled: a field left unset would leak an older record. */
	__builtin_memset(record, 0, sizeof(*record));
	record->type = what->type;
	record->size = record_bytes(packet);
	record->flags = what->flags;
	if (track_stack && is_new_on_stack(entry))
		record->flags |= TRACE_BY_STACK;
	record->drop_reason = what->drop_reason;
	record->program_id = what->program_id;
	record->verdict = what->verdict;
	fill_record(record, packet, entry);
	if (has_values(packet))
		fill_values(record, packet);
	if (packet_bytes(packet))
		fill_bytes(record, packet);
	if (has_dump(packet))
		fill_dump(record, packet);
	if (packet->is_map_access)
		fill_map(record, &packet->scratch->access);
	if (capture_stack)
		fill_stack(record, packet);
	bpf_ringbuf_submit(record, wakeup_flags(mine));
}

#endif /* SKBTRAIL_EMIT_H */
