#!/usr/bin/env python3
"""Kernel lockdown, which is for good: the last suite. Mode integrity takes nothing from us; mode confidentiality all
tracing, and an agent goes on with what is left."""

import os
import pathlib
import tempfile

import suite_lib as lab
from agent_lab import AskedAgent, uncounted
from pod_lab import RUNTIME, Runtime, said

ROOT = pathlib.Path(__file__).resolve().parents[3]
MODE = pathlib.Path("/sys/kernel/security/lockdown")


def lock(mode):
    MODE.write_text(mode, encoding="ascii")
    assert f"[{mode}]" in MODE.read_text(encoding="ascii")


def integrity(pair):
    lock("integrity")
    with lab.test("with lockdown=integrity packets are traced as ever"):
        with lab.Trace("--probes", "path", "icmp") as trace:
            pair.left.run("ping", "-c1", pair.right.v4)
        assert trace.totals.packets and trace.totals.attached and not trace.totals.rejected, trace.totals


def confidentiality(started):
    lock("confidentiality")
    with lab.test("with lockdown=confidentiality `skbtrail check` says that nothing can be traced, and why"):
        done = lab.run("skbtrail", "check", check=False)
        assert done.returncode == 3 and "lockdown=integrity" in done.stdout, done
    with lab.test("with lockdown=confidentiality a trace is refused in one line"):
        done = lab.run("skbtrail", "trace", "icmp", check=False)
        assert done.returncode == 3 and done.stderr.count("\n") == 1 and "lockdown=integrity" in done.stderr, done
    with started() as agent:
        uncounted("with lockdown=confidentiality", agent, "kernel lockdown", "lockdown=integrity")


def main():
    # A kernel of somebody's own would stay locked.
    if "SKBTRAIL_LAB_KERNEL" not in os.environ or not MODE.exists():
        lab.skip("kernel lockdown", f"a kernel of the lab with {MODE}")
        lab.finish()
    if not RUNTIME.exists():
        lab.skip("kernel lockdown", f"{RUNTIME.relative_to(ROOT)}: cmake --build --preset release")
        lab.finish()
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name, Runtime() as runtime, lab.NetnsPair() as pair:
        integrity(pair)
        lab.run("ip", "-n", pair.left, "link", "set", "veth0", "netns", "1", "name", "pod-a", "up")
        runtime.publish([said("a", pair.right.netns, pair.right.v4)])
        confidentiality(lambda: AskedAgent([], pathlib.Path(name), "--cri", runtime.socket))
    lab.finish()


main()
