#!/usr/bin/env python3
"""An agent on a node that lacks something: it goes on with what can be done, says in one line what cannot be done and
why, and /readyz says so, too."""

import contextlib
import pathlib
import tempfile

import suite_lib as lab
from agent_lab import AskedAgent, fails, told_once, uncounted
from pod_lab import RUNTIME, Runtime, said

ROOT = pathlib.Path(__file__).resolve().parents[3]
KPTR = pathlib.Path("/proc/sys/kernel/kptr_restrict")
NO_SOCKET = "/nonexistent/cri.sock"


def in_mounts(script):
    """A prefix that runs a command in mounts of its own, after `script`."""
    return ["unshare", "--mount", "sh", "-c", f'{script}; exec "$@"', "sh"]


def without_tracefs(agent):
    with lab.test("without tracefs drops are counted, and the agent is ready"):
        status, page = agent.ready()
        assert status == 200 and agent.value("skbtrail_monitor_up") == 1, page
    with lab.test("without tracefs a session fails, and says how to mount it"):
        fails(agent, "mount -t tracefs", "/sys/kernel/tracing")


def without_a_runtime(folder):
    with AskedAgent([], folder, "--cri", NO_SOCKET) as agent:
        with lab.test("without a runtime the agent says so in one line"):
            told_once(agent, NO_SOCKET)
        with lab.test("without a runtime it is ready, but for pods"):
            status, page = agent.ready()
            assert status == 200 and "[+]pods degraded: " in page and NO_SOCKET in page, page
            assert agent.value("skbtrail_monitor_up") == 1


@contextlib.contextmanager
def hidden_addresses():
    before = KPTR.read_text(encoding="ascii")
    KPTR.write_text("2", encoding="ascii")
    try:
        yield
    finally:
        KPTR.write_text(before, encoding="ascii")


def main():
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        folder = pathlib.Path(name)
        without_a_runtime(folder)
        if not RUNTIME.exists():
            lab.skip("an agent that lacks something", f"{RUNTIME.relative_to(ROOT)}: cmake --build --preset release")
            lab.finish()
        with Runtime() as runtime, lab.NetnsPair() as pair:
            # The node's end of a link in the node's own namespace is what counts packets of a pod.
            lab.run("ip", "-n", pair.left, "link", "set", "veth0", "netns", "1", "name", "pod-a", "up")
            runtime.publish([said("a", pair.right.netns, pair.right.v4)])

            def started(script):
                return AskedAgent(in_mounts(script), folder, "--cri", runtime.socket)

            with started("mount -t tmpfs none /sys/kernel/btf") as agent:
                uncounted("without BTF", agent, "CONFIG_DEBUG_INFO_BTF", "/sys/kernel/btf/vmlinux")
            with hidden_addresses(), started("true") as agent:
                uncounted("with hidden addresses", agent, "CAP_SYSLOG", "kernel.kptr_restrict=1")
            with started("umount -R /sys/kernel/tracing; umount -R /sys/kernel/debug") as agent:
                without_tracefs(agent)
    lab.finish()


main()
