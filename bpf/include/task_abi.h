/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The contract between bpf/tasks.bpf.c and agent/: one record a process. Plain C11 and valid C++20. */
#ifndef SKBTRAIL_TASK_ABI_H
#define SKBTRAIL_TASK_ABI_H

struct task_record {
	__u32 pid;		/* of the process, in the first pid namespace */
	__u32 netns_inum;
	__u64 netns_cookie;	/* 0: the kernel has none (before v5.14) */
	__u64 cgroup_id;	/* in cgroup2; 0: none */
};

#endif /* SKBTRAIL_TASK_ABI_H */
