#!/usr/bin/env python3
"""Every flag of pwru's own --help is in docs/pwru.md, and those that the table calls the same are taken."""

import pathlib
import re

import suite_lib as lab

ROOT = pathlib.Path(__file__).resolve().parents[3]

# A value for each flag that needs one.
VALUES = {"--backend": "kprobe", "--filter-func": "ip_rcv", "--filter-ifname": "lo", "--filter-mark": "0x1/0xf",
          "--filter-netns": "/proc/self/ns/net", "--filter-non-skb-funcs": "fib_table_lookup",
          "--filter-skb-expr": "skb->dev->ifindex == 1",
          "--filter-tunnel-pcap-l2": "udp port 53", "--filter-tunnel-pcap-l3": "icmp",
          "--filter-xdp-expr": "xdp->data != xdp->data_end",
          "--kernel-btf": "/sys/kernel/btf/vmlinux", "--kmods": "veth", "--output-file": "/dev/null",
          "--output-file-max-age": "7", "--output-file-max-backups": "3", "--output-file-max-size": "10",
          "--netns-names-max-length": "12", "--output-limit-lines": "5", "--output-skb-metadata": "skb->mark,skb->hash", "--ready-file": "/dev/shm/ready",
          "--output-xdp-metadata": "xdp->data,xdp->data_end",
          "--timestamp": "absolute"}
SKIPPED = {"--help"}
SAME = re.compile(r"^\| `(--[a-z0-9-]+)` \| (?:same|always) \|", re.MULTILINE)


def check_pwru():
    name = "every flag of pwru's own help is in docs/pwru.md"
    if not lab.pwru():
        lab.skip(name, "pwru (run with --with-pwru)")
        return
    done = lab.run(ROOT / "tests/checks/pwru_flags.py", "--pwru", lab.pwru(), check=False)
    lab.check(name, done.returncode == 0, done.stdout, done.stderr)


def check_same():
    """All of them on one command line, as in a script of somebody who comes from pwru."""
    same = [flag for flag in SAME.findall((ROOT / "docs/pwru.md").read_text()) if flag not in SKIPPED]
    module_types = pathlib.Path("/sys/kernel/btf/veth").exists()
    for flag in ("--kmods", "--all-kmods"):
        if not module_types:
            same.remove(flag)
            lab.skip(f"{flag} is taken", "BTF of modules (Linux 5.11)")
    words = [word for flag in same for word in ([flag, VALUES[flag]] if flag in VALUES else [flag])]
    done = lab.run("skbtrail", "trace", *words, "--duration", "1s", "icmp", check=False, timeout=300)
    lab.check(f"{len(same)} flags of pwru are taken together", done.returncode == 0, " ".join(words), done.stderr)


lab.load_module("veth")
check_pwru()
check_same()
lab.finish()
