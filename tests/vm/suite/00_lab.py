#!/usr/bin/env python3
"""The lab itself: the kernel that was asked for, its modules, a veth pair, the file systems tracing needs."""

import os
import pathlib

import suite_lib as lab

wanted = os.environ.get("SKBTRAIL_LAB_RELEASE")
if wanted:
    lab.check("the kernel that runs is the one that was booted", os.uname().release == wanted, os.uname().release)
else:
    lab.skip("the kernel that runs is the one that was booted", "a lab")
series = os.environ.get("SKBTRAIL_LAB_KERNEL", "latest")
if series != "latest":
    lab.check("the kernel is of the series asked for", lab.kernel_version() == tuple(map(int, series.split("."))))

for module in ("veth", "bridge", "vxlan", "nf_tables", "ip_tables", "iptable_filter", "sch_netem", "cls_bpf"):
    with lab.test(f"module {module} loads"):
        lab.run("modprobe", module)

with lab.test("a ping crosses a veth pair, in both families"), lab.NetnsPair() as pair:
    lab.run("ping", "-c1", "-W5", pair.right.v4, netns=pair.left)
    lab.run("ping", "-c1", "-W5", pair.right.v6, netns=pair.left)

with lab.test("nftables takes a rule"), lab.Netns() as netns:
    netns.run("nft", "add", "table", "inet", "lab")
    netns.run("nft", "add", "chain", "inet", "lab", "in", "{ type filter hook input priority 0; }")
    netns.run("nft", "add", "rule", "inet", "lab", "in", "icmp", "type", "echo-request", "drop")

with lab.test("iptables-legacy takes a rule"), lab.Netns() as netns:
    netns.run("iptables-legacy", "-A", "INPUT", "-p", "icmp", "-j", "DROP")

for path in ("/sys/kernel/tracing/trace", "/sys/kernel/debug/tracing", "/sys/kernel/btf/vmlinux",
             "/sys/fs/cgroup/cgroup.controllers", "/sys/fs/bpf", "/dev/fd/0", "/dev/shm", "/sys/kernel/security/lsm"):
    lab.check(f"{path} is there", os.path.exists(path))

with lab.test("home, /tmp and the results folder can be written to"):
    for folder in (pathlib.Path.home(), pathlib.Path("/tmp"), lab.OUT):
        (folder / "lab-writes-here").write_text("yes")

if lab.pwru():
    with lab.test("the peer tracer starts"):
        lab.run(lab.pwru(), "--help")
else:
    lab.skip("the peer tracer starts", "SKBTRAIL_PWRU")
lab.finish()
