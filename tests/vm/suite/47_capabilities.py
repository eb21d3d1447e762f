#!/usr/bin/env python3
"""What each capability of docs/security.md is for: an agent with those of its table "In a container" and no others does
everything, and without any one of them what that page says, says so in one line, and goes on with the rest."""

import contextlib
import dataclasses
import json
import pathlib
import re
import socket
import tempfile
import time

import suite_lib as lab
from agent_lab import IN_TIME, AskedAgent, value
from pod_lab import RUNTIME, Runtime, said

ROOT = pathlib.Path(__file__).resolve().parents[3]
SILENT_PORT = 9  # nobody listens there
# What an agent that lacks BPF's, perf's or kallsyms' capability does not do.
BLIND = {"CAP_BPF", "CAP_PERFMON", "CAP_SYSLOG"}
# A function that the sender's side of a link passes, and one of the receiver's.
BOTH_SIDES = {"probes": "All", "functions": ["^(dev_hard_start_xmit|ip_rcv)$"]}
# What a later link may take until it is known; interfaces are listed anew every 5 s where changes are not heard of.
SOON = 15
# What is heard of takes a tenth of this, and what is not so long that it cannot be mistaken.
AT_ONCE = 2.5


def documented():
    """Those of docs/security.md, as capabilities(7) has them."""
    text = (ROOT / "docs/security.md").read_text(encoding="utf-8")
    row = re.search(r"^\| ((?:`[A-Z_]+`, )+`[A-Z_]+`); all others dropped \|", text, re.MULTILINE).group(1)
    return [f"CAP_{name}" for name in re.findall(r"`([A-Z_]+)`", row)]


class Pod:
    """A namespace with a link to the node's, which the runtime names by its path or, with `by_process`, by a process."""

    def __init__(self, number, name, by_process=False):
        self.name, self.ip, self.gateway = name, f"10.77.{number}.2", f"10.77.{number}.1"
        self.netns = lab.Netns()
        self._process = lab.start("sleep", "3600", netns=self.netns) if by_process else None
        self.said = said(name, self.netns, self.ip)
        if by_process:
            self.said["netns"] = f"/proc/{self._process.pid}/ns/net"

    def link(self, name):
        lab.run("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", self.netns)
        lab.run("ip", "addr", "add", f"{self.gateway}/24", "dev", name)
        lab.run("ip", "link", "set", name, "up")
        self.netns.ip("addr", "add", f"{self.ip}/24", "dev", "eth0")
        self.netns.ip("link", "set", "eth0", "up")
        return self

    def lose(self):
        """A packet that ends inside, for want of a socket."""
        with lab.socket_in(self.netns, socket.AF_INET) as sender:
            sender.sendto(b"x", ("127.0.0.1", SILENT_PORT))

    def ping(self):
        lab.run("ping", "-c1", "-W5", self.ip)

    def delete(self):
        if self._process:
            self._process.kill()
            self._process.wait()
        self.netns.delete()


def limited(runtime, folder, capabilities):
    """An agent with these capabilities and no others, as in a container."""
    names = ",".join(["-all", *(f"+{name.removeprefix('CAP_').lower()}" for name in capabilities)])
    # Before 5.11 maps count as locked memory, for which the chart gives CAP_SYS_RESOURCE.
    prefix = ["prlimit", "--memlock=unlimited", "setpriv", f"--bounding-set={names}", "--inh-caps=-all", "--"]
    return AskedAgent(prefix, folder, "--cri", runtime.socket)


@dataclasses.dataclass
class Seen:
    """What an agent does and says."""

    pods_known: bool
    ready: tuple
    counting: float
    lost_in: dict
    links_of: set
    session: dict
    sides: set
    told: list


def look(agent, pods):
    """All of it, by real packets."""
    samples = lab.wait_until(lambda: value(found := agent.scrape(), "skbtrail_pods") == len(pods) and found, IN_TIME)
    time.sleep(1)   # nothing tells when the interfaces of known pods have been listed, which takes a tenth of this
    before = agent.scrape()
    for pod in pods:
        pod.lose()
        pod.ping()
    after = agent.scrape()
    session, sides = traced(agent, pods[0])
    return Seen(pods_known=bool(samples), ready=agent.ready(), counting=value(after, "skbtrail_monitor_up"),
                lost_in=lab.growth(before, after, "skbtrail_drops_total", "pod"),
                links_of={pod for (pod,) in lab.growth(before, after, "skbtrail_path_packets_total", "pod") if pod},
                session=session, sides=sides, told=agent.complaints())


def traced(agent, pod):
    """A session that follows what is sent to the pod: its status, and on which sides of its link it saw packets."""
    status = agent.begin("all", podNames=[pod.name], **BOTH_SIDES)
    if status["phase"] == "Running":
        pod.ping()
        lab.wait_until(lambda: sides_of(agent), IN_TIME, every=0.2)
        time.sleep(0.5)     # what waits for its pod's name is written after this at the latest
    agent.remove("all")
    return status, sides_of(agent)


def sides_of(agent):
    return {one["pod"]["side"] for one in agent.lines() if one.get("type") in ("hop", "drop") and one.get("pod")}


def expectations(lacked, by_path, by_process):
    """[(what, whether `seen` has it)] for an agent that lacks this capability; None: it lacks nothing."""
    blind = lacked in BLIND
    yield "pods are known", lambda seen: seen.pods_known
    yield "drops are counted", lambda seen: seen.counting == (0 if blind else 1)
    yield "readiness tells", lambda seen: seen.ready[0] == (503 if blind else 200) and (
        "[-]monitor failed: " in seen.ready[1] and lacked in seen.ready[1] if blind else "[+]monitor ok" in seen.ready[1])
    yield "drops of the pod that has a path", lambda seen: bool(seen.lost_in.get((by_path.name,))) != blind
    yield ("drops of the pod that has but a process", lambda seen: bool(seen.lost_in.get((by_process.name,))) !=
           (blind or lacked == "CAP_SYS_PTRACE"))
    yield "the node's end of the link", lambda seen: by_path.name in seen.links_of
    yield "a session", lambda seen: (
        seen.session["phase"] == "Failed" and lacked in json.dumps(seen.session) if blind else
        seen.session["phase"] == "Running" and seen.sides == {"inside", "host"})
    yield ("one line says what is missing", lambda seen: len(seen.told) == 1 and lacked in seen.told[0] if lacked
           else not seen.told)


def judge(lacked, seen, pods):
    name = f"without {lacked}" if lacked else "with the documented capabilities and no others"
    wrong = [what for what, holds in expectations(lacked, *pods) if not holds(seen)]
    lab.check(f"an agent {name}: {sentence(lacked)}", not wrong, wrong, seen)
    print("".join(f"    # {line}\n" for line in seen.told), end="", flush=True)


def sentence(lacked):
    if not lacked:
        return "everything works, and it complains of nothing"
    if lacked in BLIND:
        return "no drops and no sessions; pods and interfaces are told, it is not ready and says why"
    return {"CAP_NET_ADMIN": "all that is there is known, and nothing else is lost",
            "CAP_NET_BROADCAST": "all that is there is known, and of what is looked at here nothing is lost",
            "CAP_SYS_PTRACE": "a pod that is known by a process is not told apart, and nothing else is lost"}[lacked]


def learns_of_later_link(agent, runtime, known):
    """Whether the agent knows the node's end of a link that a pod gets after the runtime has told of it."""
    pod = Pod(20, "late")
    runtime.publish([one.said for one in (*known, pod)])
    lab.wait_until(lambda: agent.value("skbtrail_pods") == len(known) + 1, IN_TIME)
    time.sleep(1)   # nothing tells when its interfaces have been listed
    pod.link("late").ping()
    learnt = lab.wait_until(lambda: any(sample.name == "skbtrail_path_packets_total" and ("pod", pod.name) in sample.labels
                                        for sample in agent.scrape()), SOON)
    pod.delete()
    runtime.publish([one.said for one in known])
    return learnt


def later_links(runtime, folder, capabilities, known):
    for lacked in (None, "CAP_NET_BROADCAST", "CAP_NET_ADMIN"):
        with limited(runtime, folder, [one for one in capabilities if one != lacked]) as agent:
            learnt = learns_of_later_link(agent, runtime, known)
        name = f"without {lacked}" if lacked else "with all of them"
        expected = lacked != "CAP_NET_ADMIN"
        lab.check(f"a link that comes after its pod was told of, {name}: {'has' if expected else 'has not'} the pod",
                  bool(learnt) == expected, learnt)


def interfaces_of(agent, pod):
    """Names of those inside of the pod, as the agent tells them by REST."""
    (found,) = [one for one in agent.ask("GET", "/api/v1/pods")["pods"] if one["name"] == pod.name]
    return {one["ifname"] for one in found["interfaces"]}


def notices(agent, pod, name):
    """Seconds until the agent knows a link that is made inside of the pod, of which the node's own namespace hears
    nothing; None: it never does."""
    pod.netns.ip("link", "add", name, "type", "veth", "peer", "name", f"{name}-peer")
    began = time.monotonic()
    return lab.wait_until(lambda: name in interfaces_of(agent, pod) and time.monotonic() - began, SOON, every=0.1)


def changes_inside(runtime, folder, capabilities, pods):
    """Where changes are not heard of, all is listed every 5 s: the first link is waited for, so that the second comes
    right behind such a list."""
    for number, lacked in enumerate((None, "CAP_NET_BROADCAST")):
        with limited(runtime, folder, [one for one in capabilities if one != lacked]) as agent:
            lab.wait_until(lambda here=agent: here.value("skbtrail_pods") == len(pods), IN_TIME)
            took = [notices(agent, pods[0], f"in{number}{which}") for which in "ab"]
        holds = all(took) and (took[1] > AT_ONCE if lacked else took[1] < AT_ONCE)
        lab.check("a link inside of a pod, without CAP_NET_BROADCAST: is told by /api/v1/pods some seconds late" if lacked
                  else "a link inside of a pod, with all of them: is told by /api/v1/pods at once", holds, took)


def strict():
    """As a cluster's nodes mostly are: addresses of the kernel for those who may see them, perf events for CAP_PERFMON."""
    for name, setting in (("kptr_restrict", "1"), ("perf_event_paranoid", "2")):
        pathlib.Path(f"/proc/sys/kernel/{name}").write_text(setting, encoding="ascii")


def main():
    if not RUNTIME.exists():
        lab.skip("what capabilities are for", f"{RUNTIME.relative_to(ROOT)}: cmake --build --preset release")
        lab.finish()
    strict()
    capabilities = documented()
    pods = [Pod(1, "path").link("pod1"), Pod(2, "process", by_process=True).link("pod2")]
    with Runtime() as runtime, tempfile.TemporaryDirectory(dir="/dev/shm") as name, contextlib.ExitStack() as at_end:
        folder = pathlib.Path(name)
        for pod in pods:
            at_end.callback(pod.delete)
        runtime.publish([pod.said for pod in pods])
        for lacked in (None, *capabilities):
            with limited(runtime, folder, [one for one in capabilities if one != lacked]) as agent:
                seen = look(agent, pods)
                lab.check(f"it lives, and ends when it is told to ({lacked or 'all'})", agent.process.poll() is None)
            judge(lacked, seen, pods)
        later_links(runtime, folder, capabilities, pods)
        changes_inside(runtime, folder, capabilities, pods)
    lab.finish()


main()
