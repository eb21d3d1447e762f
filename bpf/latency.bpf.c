/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * How long packets take from stage to stage, as histograms by interface. Meets every packet while it is attached, so the
 * agent attaches it in slices of time only.
 */
#include "kernel_types.h"

#include "latency_abi.h"

#include "kernel_compat.h"

#include <bpf/bpf_endian.h>

#define ETHERTYPE_IP bpf_htons(0x0800)
#define ETHERTYPE_IP6 bpf_htons(0x86dd)
#define FAMILY_INET 2
#define FAMILY_INET6 10
#define LOOPBACK_IFINDEX 1

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Written by the agent before load. */
const volatile bool has_data_ready = false;	/* v6.4, tracepoint sk_data_ready */
const volatile struct latency_code udp_readers[LATENCY_UDP_READERS] = {};	/* what is done with a datagram here */

/* Written by the agent while it runs. */
__u64 slice_began_ns = 0;		/* what was begun before is not timed: its end may have been missed */
__u32 sample_mask = 0;		/* one packet in mask + 1 is timed; one less than a power of two */

#define LONGEST_NS (60ULL * 1000 * 1000 * 1000)

/* A packet on its way through one stage. By the address of its skb, which everything that begins a way sets anew. */
struct way {
	u64 began_ns;
	u32 netns_inum;
	u32 ifindex;
	u32 stage;
	u32 unused;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, u64);
	__type(value, struct way);
} ways SEC(".maps");

/* Preallocated: before v6.1 the allocator must not be called from here. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 2048);	/* the pods of a full node, by stage */
	__type(key, struct latency_key);
	__type(value, struct latency_times);
} latencies SEC(".maps");

/* The packet that this CPU handles on its way from a device to a socket. */
struct arrival {
	u64 skb;
	struct way way;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct arrival);
} arrivals SEC(".maps");

/*
 * Whether a CPU has an arrival that was not delivered yet. Every packet asks, most of them are not timed, and a byte of
 * the program's own memory is found without a look-up. Of more CPUs than this some share a byte, and may miss a time.
 */
#define ARRIVAL_CPUS 4096

__u8 is_arriving[ARRIVAL_CPUS] = {};

/* Times that found no room in the table, by CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} untold SEC(".maps");

static __always_inline void count_untold(void)
{
	const u32 zero = 0;
	u64 *count = bpf_map_lookup_elem(&untold, &zero);

	if (count)
		__sync_fetch_and_add(count, 1);
}

static __always_inline u32 bucket_of(u64 ns)
{
	u32 bucket = 0;

	for (; bucket < LATENCY_BUCKETS - 1; bucket++)
		if (ns < 1ULL << (LATENCY_FIRST_BOUND_BITS + 2 * bucket))
			break;
	return bucket;
}

static __always_inline void record(const struct latency_key *key, u64 ns)
{
	const struct latency_times none = {};
	struct latency_times *times = bpf_map_lookup_elem(&latencies, key);
	u32 bucket = bucket_of(ns);

	if (!times) {
		(void)bpf_map_update_elem(&latencies, key, &none, BPF_NOEXIST);
		times = bpf_map_lookup_elem(&latencies, key);
	}
	if (!times || bucket >= LATENCY_BUCKETS)
		return count_untold();
	__sync_fetch_and_add(&times->sum_ns, ns);
	__sync_fetch_and_add(&times->buckets[bucket], 1);
}

static __always_inline void record_way(const struct way *way, u64 now)
{
	const struct latency_key key = {
		.netns_inum = way->netns_inum, .ifindex = way->ifindex, .stage = way->stage};

	if (now >= way->began_ns && now - way->began_ns < LONGEST_NS)
		record(&key, now - way->began_ns);
}

/*
 * By the address of the skb, so that at every stage one multiplication tells; other addresses in each slice, since the
 * allocator gives out the same few again and again.
 */
static __always_inline bool is_sampled(u64 skb)
{
	const u64 mixed = (skb ^ slice_began_ns) * 0x9e3779b97f4a7c15ULL;

	return !((mixed >> 40) & sample_mask);
}

static __always_inline void set_place(struct way *way, const struct net_device *dev)
{
	way->netns_inum = BPF_CORE_READ(dev, nd_net.net, ns.inum);
	way->ifindex = BPF_CORE_READ(dev, ifindex);
}

/* The way of this skb if it is in this stage and began in this slice. */
static __always_inline struct way *way_in(u64 skb, u32 stage)
{
	struct way *way = is_sampled(skb) ? bpf_map_lookup_elem(&ways, &skb) : NULL;

	return way && way->stage == stage && way->began_ns >= slice_began_ns ? way : NULL;
}

static __always_inline void begin(u64 skb, const struct way *way)
{
	(void)bpf_map_update_elem(&ways, &skb, way, BPF_ANY);
}

static __always_inline bool is_of_network(const struct sock *sk, u32 netns_inum)
{
	const u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	return (family == FAMILY_INET || family == FAMILY_INET6) &&
	       BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum) == netns_inum;
}

/* Whether TCP noted in this skb when it was handed down. */
static __always_inline bool has_departure(const struct sk_buff *skb)
{
	const struct sock *sk = BPF_CORE_READ(skb, sk);

	/* IPPROTO_TCP; a request's or late packet's remnant of a socket has no sk_protocol to read. */
	if (!sk || BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_NEW_SYN_RECV_STATE ||
	    BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_TIME_WAIT_STATE)
		return false;
	return BPF_CORE_READ(sk, sk_protocol) == 6;
}

SEC("raw_tp/net_dev_queue")
int latency_queue(struct bpf_raw_tracepoint_args *ctx)
{
	const struct sk_buff *skb = (const void *)ctx->args[0];
	const u64 address = ctx->args[0];
	struct way way = {.stage = LATENCY_QDISC};

	if (!is_sampled(address))
		return 0;
	way.began_ns = bpf_ktime_get_ns();
	set_place(&way, BPF_CORE_READ(skb, dev));
	begin(address, &way);
	/* Over a virtual link the packet keeps its socket; there it leaves no more. */
	if (has_departure(skb) && is_of_network(BPF_CORE_READ(skb, sk), way.netns_inum)) {
		struct way transmit = way;

		transmit.stage = LATENCY_TRANSMIT;
		transmit.began_ns = BPF_CORE_READ(skb, tstamp);
		/* With pacing it is the time when the packet may leave, which lies ahead. */
		if (transmit.began_ns)
			record_way(&transmit, way.began_ns);
	}
	return 0;
}

SEC("raw_tp/net_dev_start_xmit")
int latency_xmit(struct bpf_raw_tracepoint_args *ctx)
{
	const struct net_device *dev = (const void *)ctx->args[1];
	const u64 address = ctx->args[0];
	struct way *way = way_in(address, LATENCY_QDISC);
	u64 now;

	if (!way)
		return 0;
	now = bpf_ktime_get_ns();
	record_way(way, now);
	if (BPF_CORE_READ(dev, dev.parent)) {
		/* A real device: what it sends is seen by another machine. */
		(void)bpf_map_delete_elem(&ways, &address);
		return 0;
	}
	way->began_ns = now;
	way->stage = LATENCY_WIRE;
	return 0;
}

/*
 * Whether a packet can have come to `dev` from the device where its way began. Where something else took it (a tunnel, a
 * virtual machine) its address may be another packet's by now.
 */
static __always_inline bool is_other_end(const struct way *from, const struct way *to, const struct net_device *dev)
{
	const bool is_same = from->ifindex == to->ifindex && from->netns_inum == to->netns_inum;

	return !BPF_CORE_READ(dev, dev.parent) && (!is_same || to->ifindex == LOOPBACK_IFINDEX);
}

static __always_inline struct arrival *own_arrival(void)
{
	const u32 zero = 0;

	return bpf_map_lookup_elem(&arrivals, &zero);
}

/* Another packet came: the one before is in its socket, or went elsewhere. */
static __always_inline void end_arrival(u8 *arriving)
{
	struct arrival *arrival = own_arrival();

	*arriving = 0;
	if (arrival)
		arrival->skb = 0;
}

SEC("raw_tp/netif_receive_skb")
int latency_receive(struct bpf_raw_tracepoint_args *ctx)
{
	const struct sk_buff *skb = (const void *)ctx->args[0];
	const u64 address = ctx->args[0];
	u8 *arriving = &is_arriving[bpf_get_smp_processor_id() & (ARRIVAL_CPUS - 1)];
	struct way next = {.stage = LATENCY_RECEIVE};
	struct arrival *arrival;
	struct way *way;

	if (*arriving)
		end_arrival(arriving);
	if (!is_sampled(address))
		return 0;
	arrival = own_arrival();
	if (!arrival)
		return 0;
	way = way_in(address, LATENCY_WIRE);
	next.began_ns = bpf_ktime_get_ns();
	set_place(&next, BPF_CORE_READ(skb, dev));
	if (way && is_other_end(way, &next, BPF_CORE_READ(skb, dev))) {
		struct way wire = next;

		wire.stage = LATENCY_WIRE;
		wire.began_ns = way->began_ns;
		record_way(&wire, next.began_ns);
	}
	begin(address, &next);
	arrival->skb = address;
	arrival->way = next;
	*arriving = 1;
	return 0;
}

/*
 * Runs where a packet is put into a socket: on the CPU that received it, before it receives another one. A process that
 * finds packets waiting behind a socket it had locked comes here, too, with whatever this CPU received last; so does
 * a socket of another namespace.
 */
SEC("raw_tp/sk_data_ready")
int latency_deliver(struct bpf_raw_tracepoint_args *ctx)
{
	const struct sock *sk = (const void *)ctx->args[0];
	u8 *arriving = &is_arriving[bpf_get_smp_processor_id() & (ARRIVAL_CPUS - 1)];
	struct arrival *arrival;
	struct way *way;
	u64 address, now;

	if (!*arriving)
		return 0;
	arrival = own_arrival();
	if (!arrival || !arrival->skb || !is_of_network(sk, arrival->way.netns_inum))
		return 0;
	address = arrival->skb;
	arrival->skb = 0;
	*arriving = 0;
	way = way_in(address, LATENCY_RECEIVE);
	if (!way || way->began_ns != arrival->way.began_ns)
		return 0;
	now = bpf_ktime_get_ns();
	record_way(way, now);
	way->began_ns = now;
	way->stage = LATENCY_SOCKET;
	return 0;
}

static __always_inline void end_wait(u64 address, u32 stage)
{
	struct way *way = way_in(address, stage);
	struct way wait;
	__be16 protocol;

	if (!way)
		return;
	wait = *way;
	(void)bpf_map_delete_elem(&ways, &address);
	wait.stage = LATENCY_SOCKET;
	/* Messages of unix sockets are read here, too, and may lie where a packet was. */
	protocol = BPF_CORE_READ((const struct sk_buff *)address, protocol);
	if (protocol == ETHERTYPE_IP || protocol == ETHERTYPE_IP6)
		record_way(&wait, bpf_ktime_get_ns());
}

SEC("raw_tp/skb_copy_datagram_iovec")
int latency_read(struct bpf_raw_tracepoint_args *ctx)
{
	/* Before v6.4 nothing tells when a packet reaches its socket: both stages are one. */
	end_wait(ctx->args[0], has_data_ready ? LATENCY_SOCKET : LATENCY_RECEIVE);
	return 0;
}

/*
 * UDP copies small packets without a word, and is done with them right after. Not loaded where it leaves that to the CPU
 * which received them (v6.18).
 */
SEC("raw_tp/consume_skb")
int latency_consume(struct bpf_raw_tracepoint_args *ctx)
{
	const u64 location = ctx->args[1];	/* v6.3 */
	u32 nth;

	if (!is_sampled(ctx->args[0]))
		return 0;
	for (nth = 0; nth < LATENCY_UDP_READERS; nth++)
		if (location - udp_readers[nth].begins < udp_readers[nth].bytes)
			end_wait(ctx->args[0], LATENCY_SOCKET);
	return 0;
}
