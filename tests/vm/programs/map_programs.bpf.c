/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A program of TC that looks up, sets and deletes elements of maps, for each port one; see tests/vm/suite/24_maps.py. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

#define UDP_PORT_OFFSET (14 + 20 + 2)

struct wide {
	__u64 words[40];	/* more than a record holds */
};

#define MAP(name_, type_, flags_, value_)             \
	struct {                                      \
		__uint(type, type_);                  \
		__uint(max_entries, 64);              \
		__uint(map_flags, flags_);            \
		__type(key, __u32);                   \
		__type(value, value_);                \
	} name_ SEC(".maps")

MAP(in_hash, BPF_MAP_TYPE_HASH, 0, __u64);
MAP(in_lru, BPF_MAP_TYPE_LRU_HASH, 0, __u64);
MAP(in_percpu, BPF_MAP_TYPE_PERCPU_HASH, 0, __u64);
MAP(in_wide, BPF_MAP_TYPE_HASH, 0, struct wide);

struct prefix {
	__u32 bits;
	__u32 address;
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 64);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct prefix);
	__type(value, __u64);
} in_trie SEC(".maps");

#define COUNT_IN(map, first)                                                  \
	do {                                                                  \
		__u64 value_ = (first), *found_ = bpf_map_lookup_elem(&map, &key); \
									      \
		if (found_)                                                   \
			value_ = *found_ + 1;                                 \
		bpf_map_update_elem(&map, &key, &value_, BPF_ANY);            \
	} while (0)

SEC("tc")
int tc_uses_maps(struct __sk_buff *packet)
{
	static struct wide wide = {{1}};
	struct prefix prefix = {32, 0};
	__be16 port = 0;
	__u32 key;

	bpf_skb_load_bytes(packet, UDP_PORT_OFFSET, &port, sizeof(port));
	key = bpf_ntohs(port);
	switch (key) {
	case 7510:
	case 7516:
		COUNT_IN(in_hash, 0x1111);
		break;
	case 7511:
		COUNT_IN(in_lru, 0x2222);
		break;
	case 7512:
		COUNT_IN(in_percpu, 0x3333);
		break;
	case 7513:
		bpf_map_update_elem(&in_wide, &key, &wide, BPF_ANY);
		break;
	case 7514:
		prefix.address = key;
		if (!bpf_map_lookup_elem(&in_trie, &prefix))
			bpf_map_update_elem(&in_trie, &prefix, &(__u64){0x4444}, BPF_ANY);
		break;
	case 7515:
		bpf_map_delete_elem(&in_hash, &(__u32){7510});
		break;
	}
	return TC_ACT_OK;
}
