/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Lists processes with their network namespace and cgroup2, without entering a namespace and without ptrace rights:
 * whoever may load this reads the kernel's own list.
 */
#include "kernel_types.h"

#include "task_abi.h"

#include "kernel_compat.h"

#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

static __always_inline u64 task_cgroup(const struct task_struct *task)
{
	const struct cgroup *cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp);

	return cgroup ? BPF_CORE_READ(cgroup, kn, id) : 0;
}

SEC("iter/task")
int list_tasks(struct bpf_iter__task *ctx)
{
	const struct task_struct *task = ctx->task;
	struct task_record record = {};
	const struct net *net;

	/* At the end of the list there is none; a thread is where its process is, as a rule. */
	if (!task || task->pid != task->tgid)
		return 0;
	/* A process that is just ending has no namespaces any more. */
	net = BPF_CORE_READ(task, nsproxy, net_ns);
	if (!net)
		return 0;
	record.pid = task->tgid;
	record.netns_inum = BPF_CORE_READ(net, ns.inum);
	record.netns_cookie = netns_cookie(net);
	record.cgroup_id = task_cgroup(task);
	/* When its buffer is full the kernel calls again for the same task. */
	(void)bpf_seq_write(ctx->meta->seq, &record, sizeof(record));
	return 0;
}
