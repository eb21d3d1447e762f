#!/usr/bin/env python3
"""As many sessions at once as a node has places for, each of every function, under a flood: the agent lives within the
memory that the chart lets it have, the kernel's tables included, and goes on delivering."""

import contextlib
import pathlib
import re
import tempfile
import time

import suite_lib as lab
from agent_lab import IN_TIME, AskedAgent
from pod_lab import RUNTIME, Runtime, said

ROOT = pathlib.Path(__file__).resolve().parents[3]
CGROUPS = pathlib.Path("/sys/fs/cgroup")
SESSIONS = 4        # sessions.maxRunning
FLOOD = 20          # seconds; what waits for a reader is full after a few


def limit():
    """The chart's."""
    values = (ROOT / "helm/skbtrail/values.yaml").read_text(encoding="utf-8")
    return int(re.search(r"^  limits:\n    memory: (\d+)Mi$", values, re.MULTILINE).group(1)) << 20


@contextlib.contextmanager
def cgroup(name, most):
    """Of containers; it is empty again at the end."""
    controllers = CGROUPS / "cgroup.subtree_control"
    if "memory" not in controllers.read_text(encoding="ascii").split():
        controllers.write_text("+memory", encoding="ascii")
    folder = CGROUPS / name
    folder.mkdir()
    (folder / "memory.max").write_text(str(most), encoding="ascii")
    yield folder
    lab.wait_until(lambda: "populated 0" in (folder / "cgroup.events").read_text(encoding="ascii"), IN_TIME)
    folder.rmdir()


def numbers(path):
    return {name: int(number) for name, number in re.findall(r"^(\w+) (\d+)$", path.read_text(encoding="ascii"), re.MULTILINE)}


def taken(folder):
    """Bytes that cannot be given back: the program's own, the kernel's tables, what waits in sockets. The rest is files."""
    found = numbers(folder / "memory.stat")
    return found["anon"] + found.get("kernel", 0) + found.get("sock", 0)


def flooded(agent, folder, pair):
    """The most that was taken meanwhile; how many events each session has delivered."""
    most = 0
    with contextlib.ExitStack() as floods:
        for end in (pair.left.netns, pair.right.netns):
            other = pair.right.v4 if end is pair.left.netns else pair.left.v4
            floods.enter_context(lab.background("ping", "-q", "-f", "-s", "1000", other, netns=end))
        until = time.monotonic() + FLOOD
        while time.monotonic() < until:
            most = max(most, taken(folder))
            time.sleep(0.2)
        statuses = [agent.session(f"all{number}") for number in range(SESSIONS)]
    return most, [status["nodes"][0]["events"] for status in statuses]


def main():
    if not RUNTIME.exists():
        lab.skip("memory of an agent", f"{RUNTIME.relative_to(ROOT)}: cmake --build --preset release")
        lab.finish()
    most_allowed = limit()
    with (Runtime() as runtime, lab.NetnsPair() as pair, tempfile.TemporaryDirectory(dir="/dev/shm") as name,
          cgroup("agent", most_allowed) as folder):
        runtime.publish([said("a", pair.right.netns, pair.right.v4)])
        # Its lines go nowhere: a file in memory would be memory of its own.
        inside = ["sh", "-c", f'echo $$ >{folder}/cgroup.procs && exec "$@" >/dev/null', "sh"]
        with AskedAgent(inside, pathlib.Path(name), "--cri", runtime.socket) as agent:
            lab.wait_until(lambda: agent.value("skbtrail_pods") == 1, IN_TIME)
            alone = taken(folder)
            phases = [agent.begin(f"all{number}", podNames=["a"], probes="All", filter="", eventsPerSecond=100000,
                                  maxEvents=1000000)["phase"] for number in range(SESSIONS)]
            lab.check(f"{SESSIONS} sessions of every function run at once", phases == ["Running"] * SESSIONS, phases)
            running = taken(folder)
            most, events = flooded(agent, folder, pair)
            lab.check("under a flood each of them goes on delivering", all(events), events)
            killed = numbers(folder / "memory.events")["oom_kill"]
            lab.check(f"the agent has at most two thirds of the {most_allowed >> 20} MiB that the chart lets it have",
                      not killed and agent.process.poll() is None and most < most_allowed * 2 / 3, killed, most >> 20)
            print(f"    # MiB: {alone >> 20} alone, {running >> 20} with {SESSIONS} sessions, {most >> 20} at most "
                  f"under the flood; events {events}", flush=True)
    lab.finish()


main()
