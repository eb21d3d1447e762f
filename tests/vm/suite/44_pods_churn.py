#!/usr/bin/env python3
"""Pods of a real containerd that come and go while they send, against what a trace says of each of their packets.

Each pod sends to a port of its own from the moment its network namespace has an address, in the middle of CNI ADD and
before the runtime has told anybody of the pod. So every event says by its port whose it must be, by what the network
plugin was told and not by what skbtrail has found out.
"""

import collections
import contextlib
import dataclasses
import errno
import importlib.util
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import threading
import time

import suite_lib as lab

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/pods"))
CACHE = pathlib.Path(os.environ.get("SKBTRAIL_CACHE", pathlib.Path.home() / ".cache/skbtrail"))
INSIDE = "SKBTRAIL_CHURN_INSIDE"
PODS = int(os.environ.get("SKBTRAIL_CHURN_PODS", "4"))    # of each runtime; each takes an emulated machine seconds
BRIDGE = "churn0"
GATEWAY = "10.22.0.1"
FIRST_PORT = 20000
HOST = os.stat("/proc/self/ns/net").st_ino
# While a pod is young it sends often: its first packets are those that may have no name.
YOUNG_FOR, YOUNG_PAUSE, OLD_PAUSE = 0.4, 0.01, 0.2
LIVES = 0.6          # seconds of a pod after RunPodSandbox has returned
FIRST = 0.1          # seconds of a pod in which a share of its events may have no name
NAMELESS_SHARE = 0.1
IN_TIME = 60
# Each takes two minutes: in the lab's kernels, one after the other, both are met twice.
BY_KERNEL = {"5.10": "1.6", "6.1": "2", "6.12": "1.6", "latest": "2"}
# The plugin `bridge` between two notes of what it was told: the pod and its namespace, and when ADD had returned.
PLUGIN = """#!/bin/bash
[ "$CNI_COMMAND" = ADD ] || exec {plugins}/bridge
pod=${{CNI_ARGS#*K8S_POD_NAME=}} pod=${{pod%%;*}}
echo "$CNI_NETNS" >{notes}/.$pod && mv {notes}/.$pod {notes}/$pod.begin
{plugins}/bridge
status=$?
echo "$EPOCHREALTIME" >{notes}/.$pod && mv {notes}/.$pod {notes}/$pod.end
exit $status
"""


@dataclasses.dataclass
class Truth:
    """What is so of one pod."""

    name: str
    port: int
    netns: int
    link: int            # index of the node's end of its link; 0: there was none yet
    added: float = 0     # when CNI ADD had returned
    removed: float = 0   # when its removal began


class Sender(threading.Thread):
    """Sends from every pod that the plugin has noted, from its namespace, until it is told that the pod goes."""

    def __init__(self, notes):
        super().__init__(daemon=True)
        self.notes, self.truth, self.sent = notes, {}, 0
        self._sockets, self._lock, self._end = {}, threading.Lock(), threading.Event()

    def run(self):
        due = {}
        while not self._end.wait(0.003):
            with self._lock:
                self._meet_new(due)
                now = time.monotonic()
                for name, (born, at) in list(due.items()):
                    if name not in self._sockets:
                        del due[name]
                    elif now >= at:
                        self._send(name)
                        due[name] = (born, now + (YOUNG_PAUSE if now - born < YOUNG_FOR else OLD_PAUSE))

    def _meet_new(self, due):
        for note in self.notes.glob("*.begin"):
            name = note.stem
            if name in self.truth:
                continue
            path = note.read_text().strip()
            netns = os.stat(path).st_ino
            self.truth[name] = Truth(name, FIRST_PORT + int(name.split("-")[1]), netns, 0)
            self._sockets[name] = lab.socket_in(Path(path), socket.AF_INET)
            due[name] = (time.monotonic(), 0)

    def _send(self, name):
        try:
            self._sockets[name].sendto(name.encode(), (GATEWAY, self.truth[name].port))
            self.sent += 1
        except OSError as error:
            # No address yet.
            if error.errno not in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN):
                raise

    def forget(self, name):
        """Sends no more; its namespace is not kept alive from here."""
        with self._lock:
            self.truth[name].removed = time.time()
            self._sockets.pop(name).close()

    def end(self):
        self._end.set()
        self.join()


@dataclasses.dataclass
class Path:
    """What lab.socket_in() needs of a namespace."""

    path: str


def cni_folder(home, plugins):
    """Plugins as they are, but for `bridge`, which leaves notes; (the plugins, the notes)."""
    programs, notes = home / "cni-bin", home / "notes"
    programs.mkdir(parents=True)
    notes.mkdir()
    for plugin in pathlib.Path(plugins).iterdir():
        if plugin.name != "bridge":
            (programs / plugin.name).symlink_to(plugin)
    (programs / "bridge").write_text(PLUGIN.format(plugins=plugins, notes=notes))
    (programs / "bridge").chmod(0o755)
    return programs, notes


@contextlib.contextmanager
def containerd(pods_lab, name, programs):
    """A running containerd whose pods send; (it, the sender)."""
    plugins = pods_lab.CNI_PLUGINS
    pods_lab.CNI_PLUGINS, notes = cni_folder(pathlib.Path("/run/churn-" + name), plugins)
    pods_lab.NETWORK["plugins"][0]["bridge"] = BRIDGE
    try:
        runtime = pods_lab.Containerd(name, programs)
    finally:
        pods_lab.CNI_PLUGINS = plugins
    sender = Sender(notes)
    sender.start()
    try:
        yield runtime, sender
    finally:
        sender.end()
        runtime.stop()
        lab.run("ip", "link", "delete", BRIDGE, check=False)


def churn(runtime, sender, numbers):
    """One pod after another, each a while beside the next one."""
    alive = collections.deque()

    def remove():
        name, sandbox = alive.popleft()
        sender.forget(name)
        runtime.cri.remove(sandbox)

    for number in numbers:
        name = f"pod-{number}"
        sandbox = runtime.cri.run(name)
        alive.append((name, sandbox))
        note(sender, runtime, name, sandbox)
        time.sleep(LIVES)
        if len(alive) > 2:
            remove()
    while alive:
        remove()


def note(sender, runtime, name, sandbox):
    """The rest of the truth: by the plugin's second note, and by the process in the pod, which must agree."""
    one = sender.truth[name]
    one.added = float((sender.notes / f"{name}.end").read_text())
    answer = runtime.cri.call("PodSandboxStatus", runtime.cri.pb.PodSandboxStatusRequest(pod_sandbox_id=sandbox),
                              runtime.cri.pb.PodSandboxStatusResponse)
    ip = answer.status.network.ip
    netns = runtime.cri.truth(sandbox)[0]
    assert netns == one.netns, f"{name}: the plugin's namespace is {one.netns}, the process' {netns}"
    with lab.inside(Path((sender.notes / f"{name}.begin").read_text().strip())):
        addresses = subprocess.run(["ip", "-o", "-4", "addr", "show", "eth0"], capture_output=True, text=True,
                                   check=True).stdout
        link = subprocess.run(["ip", "-o", "link", "show", "eth0"], capture_output=True, text=True, check=True).stdout
    assert f" {ip}/" in addresses, (ip, addresses)
    one.link = int(re.search(r"eth0@if(\d+)", link).group(1))


def seconds_of(event):
    whole, _, rest = event["ts"].rstrip("Z").partition(".")
    return time.mktime(time.strptime(whole + " UTC", "%Y-%m-%dT%H:%M:%S %Z")) - time.timezone + float("0." + rest)


def place_of(event, pod):
    """Where an event of this pod's packet is, as (pod, side); None where no pod is."""
    if event["netns"] == pod.netns:
        return (pod.name, "inside")
    if event["netns"] == HOST and event.get("ifindex") == pod.link:
        return (pod.name, "host")
    return None


def named(event, field="pod"):
    pod = event.get(field)
    return pod and (pod["name"], pod.get("side"))


class Verdict:
    """Every event of the pods' packets, held against the truth."""

    def __init__(self, events, truth):
        self.by_port = {pod.port: pod for pod in truth.values()}
        self.wrong, self.early, self.early_nameless, self.late_nameless, self.total = [], 0, 0, [], 0
        self.between = 0     # after the first 100 ms and before CNI ADD has returned
        self.first = {}
        self.delays = []     # how long after CNI ADD a nameless event was
        hops = [event for event in events if event["type"] in ("hop", "drop") and event["tuple"]
                and event["tuple"]["dport"] in self.by_port]
        for event in hops:
            self.first.setdefault(event["tuple"]["dport"], seconds_of(event))
        for event in hops:
            self.judge(event, self.by_port[event["tuple"]["dport"]])

    def judge(self, event, pod):
        place, name, source = place_of(event, pod), named(event), named(event, "src")
        self.total += 1
        if name not in (None, place) or source not in (None, (pod.name, None)):
            self.wrong.append((pod, event))
        age = seconds_of(event) - self.first[pod.port]
        nameless = place is not None and name is None
        self.early += age < FIRST
        if not nameless:
            return
        after = seconds_of(event) - pod.added
        if after > 0:
            self.late_nameless.append((pod.name, round(after, 3), event["func"], place[1]))
        if age < FIRST:
            self.early_nameless += 1
        elif after <= 0:
            self.between += 1

    def __str__(self):
        return (f"{len(self.first)} pods, {self.total} events of their packets: {len(self.wrong)} with a wrong pod; of "
                f"{self.early} in a pod's first {FIRST * 1000:.0f} ms {self.early_nameless} without one; "
                f"{self.between} later without one before CNI ADD had returned, {len(self.late_nameless)} after it")


def test_churn(runtime, sender, what):
    with lab.Trace("--probes", "path", "--cri", runtime.socket,
                   f"udp and dst portrange {FIRST_PORT}-{FIRST_PORT + PODS}") as trace:
        started = time.monotonic()
        churn(runtime, sender, range(PODS))
        took = time.monotonic() - started
    verdict = Verdict(trace.events, sender.truth)
    print(f"{what}: {verdict}; {took / PODS:.1f} s a pod; {sender.sent} packets sent; {trace.stderr.strip()}")
    with lab.test(f"{what}: {PODS} pods come and go while they send, and no event has a wrong pod"):
        assert len(verdict.first) == PODS, f"{len(verdict.first)} of them were seen"
        assert not verdict.wrong, verdict.wrong[:3]
    with lab.test(f"{what}: of the events of a pod's first {FIRST * 1000:.0f} ms a bounded share has no pod"):
        assert verdict.early_nameless <= verdict.early * NAMELESS_SHARE, str(verdict)
    with lab.test(f"{what}: once CNI ADD has returned every event has its pod"):
        assert not verdict.late_nameless, (len(verdict.late_nameless), verdict.late_nameless[:5])


def answers(runtime):
    import grpc  # pylint: disable=import-outside-toplevel
    try:
        return runtime.cri.is_ready()
    except grpc.RpcError:
        return False


def test_runtime_gone(runtime, sender, what):
    """The runtime is stopped and killed in the middle of a trace."""
    def events_of(trace, number):
        return [event for event in trace.so_far() if (event.get("tuple") or {}).get("dport") == FIRST_PORT + number]

    def goes_on(trace, number):
        """Whether a packet that is sent from now on is there, with its pod."""
        before = len(events_of(trace, number))
        lab.wait_until(lambda: len(events_of(trace, number)) > before + 5, IN_TIME, every=0.5)
        fresh = [event for event in events_of(trace, number)[before:] if event["netns"] == sender.truth[f"pod-{number}"].netns]
        assert fresh and all(named(event) == (f"pod-{number}", "inside") for event in fresh), fresh[:2]

    ports = f"{FIRST_PORT + PODS}-{FIRST_PORT + PODS + 2}"
    with lab.Trace("--probes", "path", "--cri", runtime.socket, f"udp and dst portrange {ports}") as trace:
        old = runtime.cri.run(f"pod-{PODS}")
        with lab.test(f"{what}: while the runtime is stopped events go on, with their pods"):
            goes_on(trace, PODS)
            runtime.pause()
            time.sleep(8)    # more than the deadline of a call
            goes_on(trace, PODS)
            runtime.resume()
        with lab.test(f"{what}: a runtime that was killed and started anew is met again"):
            runtime.kill()
            goes_on(trace, PODS)
            runtime.start()
            assert lab.wait_until(lambda: answers(runtime), IN_TIME), "it does not answer"
            new = runtime.cri.run(f"pod-{PODS + 1}")
            goes_on(trace, PODS + 1)
            goes_on(trace, PODS)
            for number, sandbox in ((PODS, old), (PODS + 1, new)):
                sender.forget(f"pod-{number}")
                runtime.cri.remove(sandbox)


def newest_containerd():
    version = re.search(r"containerd/containerd/v2 (v\S+)", (ROOT / "tests/pods/containerd/go.mod").read_text()).group(1)
    folder = CACHE / f"containerd-{version}"
    return folder if (folder / "containerd").exists() else None


def lacking():
    for program in ("containerd", "containerd-shim-runc-v2", "ctr", "runc", "protoc"):
        if not shutil.which(program):
            return program
    for path in ("/usr/lib/cni/bridge", "/bin/busybox"):
        if not os.path.exists(path):
            return path
    for module, package in (("grpc", "python3-grpcio"), ("google", "python3-protobuf")):
        if not importlib.util.find_spec(module):
            return package
    return None if lab.load_module("bridge") and lab.load_module("veth") else "the modules bridge and veth"


def tracers():
    """Processes of skbtrail in this namespace, such as one that removes probes behind a trace."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/exe"):
        with contextlib.suppress(OSError):
            if os.readlink(path).endswith("/skbtrail"):
                found.append(path.parent.name)
    return found


def let_tracers_end():
    """Before the namespace ends. Older kernels than 6.9 do not survive it when its first process ends and kills one that
    holds trampolines: each waits for the other, by way of RCU tasks."""
    assert lab.wait_until(lambda: not tracers(), 2 * IN_TIME, every=0.2), f"tracers do not end: {tracers()}"


def main():
    if lack := lacking():
        lab.skip("pods of a real containerd come and go", lack)
        lab.finish()
    if INSIDE not in os.environ:
        # containerd's folders are private, and nothing of it outlives the suite.
        sys.exit(subprocess.run(["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", sys.executable,
                                 __file__], env={**os.environ, INSIDE: "1"}, check=False).returncode)
    import lab as pods_lab  # pylint: disable=import-outside-toplevel
    pods_lab.enter()
    which = os.environ.get("SKBTRAIL_CHURN_RUNTIMES", BY_KERNEL.get(os.environ.get("SKBTRAIL_LAB_KERNEL"), "1.6 2")).split()
    for what, programs in (("containerd 1.6", None), ("containerd 2", newest_containerd())):
        if what.split()[1] not in which:
            continue
        if programs is None and what == "containerd 2":
            lab.skip("pods of containerd 2", "containerd 2, which `./dev pods` builds")
            continue
        with containerd(pods_lab, what.replace(" ", "-"), programs) as (runtime, sender):
            test_churn(runtime, sender, what)
            test_runtime_gone(runtime, sender, what)
    let_tracers_end()
    lab.finish()


main()
