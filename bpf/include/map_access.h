/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What a record says of an element of a BPF map. */
#ifndef SKBTRAIL_MAP_ACCESS_H
#define SKBTRAIL_MAP_ACCESS_H

#include "kernel_compat.h"
#include "packet.h"
#include "trace_abi.h"

const volatile __u64 per_cpu_offsets = 0;	/* the kernel's array of that name, by CPU; 0: unknown */

static __always_inline bool is_map_of_maps(u32 type)
{
	return type == BPF_MAP_TYPE_ARRAY_OF_MAPS || type == BPF_MAP_TYPE_HASH_OF_MAPS;
}

/* Others have the kernel's own objects for values, such as sockets. */
static __always_inline bool has_plain_values(u32 type)
{
	switch (type) {
	case BPF_MAP_TYPE_HASH:
	case BPF_MAP_TYPE_ARRAY:
	case BPF_MAP_TYPE_PERCPU_HASH:
	case BPF_MAP_TYPE_PERCPU_ARRAY:
	case BPF_MAP_TYPE_LRU_HASH:
	case BPF_MAP_TYPE_LRU_PERCPU_HASH:
	case BPF_MAP_TYPE_LPM_TRIE:
	case BPF_MAP_TYPE_ARRAY_OF_MAPS:
	case BPF_MAP_TYPE_HASH_OF_MAPS: return true;
	}
	return false;
}

/* What an element of a hash table holds: the value itself, or for some types where it lies. */
static __always_inline u64 value_of_element(u64 element, u32 type, u32 key_size)
{
	const struct htab_elem *in_table = (const void *)element;
	const u64 held = (u64)__builtin_preserve_access_index(&in_table->key) + ((key_size + 7) & ~7U);

	if (type == BPF_MAP_TYPE_HASH_OF_MAPS)
		return read_word(held);
	if (type != BPF_MAP_TYPE_PERCPU_HASH && type != BPF_MAP_TYPE_LRU_PERCPU_HASH)
		return held;
	if (!per_cpu_offsets)
		return 0;
	return read_word(held) + read_word(per_cpu_offsets + 8 * (u64)bpf_get_smp_processor_id());
}

/* Of a map of maps: the id of the map that was found, as user space is told. */
static __always_inline u64 value_address(const struct map_access *access, u32 type, u32 key_size)
{
	u64 value = access->value;

	if (!value || !has_plain_values(type))
		return 0;
	if (access->operation == TRACE_MAP_FIND)
		value = value_of_element(value, type, key_size);
	if (value && is_map_of_maps(type))
		return (u64)__builtin_preserve_access_index(&((const struct bpf_map *)value)->id);
	return value;
}

static __always_inline u16 copy_bytes(void *to, u64 from, u32 size)
{
	if (!from)
		return 0;
	if (size > TRACE_MAP_BYTES)
		size = TRACE_MAP_BYTES;
	/* The verifier must see the bound on the very register that is handed over. */
	barrier_var(size);
	if (size > TRACE_MAP_BYTES || bpf_probe_read_kernel(to, size, (const void *)from))
		return 0;
	return size;
}

/* Behind the record: whatever has no packet at hand has no values, bytes and dump. */
static __always_inline void fill_map(struct trace_record *record, const struct map_access *access)
{
	const struct bpf_map *map = (const void *)access->map;
	const u32 type = BPF_CORE_READ(map, map_type);
	struct trace_map *told = (void *)(record + 1);

	__builtin_memset(told, 0, sizeof(*told));
	record->flags |= TRACE_HAS_MAP;
	told->id = BPF_CORE_READ(map, id);
	told->operation = access->operation;
	told->found = access->value != 0;
	told->key_size = BPF_CORE_READ(map, key_size);
	told->value_size = BPF_CORE_READ(map, value_size);
	(void)bpf_probe_read_kernel(told->name, sizeof(told->name), &map->name);
	told->key_bytes = copy_bytes(told->key, access->key, told->key_size);
	told->value_bytes = copy_bytes(told->value, value_address(access, type, told->key_size), told->value_size);
}

#endif /* SKBTRAIL_MAP_ACCESS_H */
