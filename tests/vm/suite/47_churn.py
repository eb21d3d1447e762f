#!/usr/bin/env python3
"""Pods are made and deleted while they lose packets: the agent neither grows nor loses a count.

SKBTRAIL_CHURN_SECONDS: how long (default: 110). Series of deleted pods are folded after 5 minutes, so only from
8 minutes on it is seen that their number no longer grows. SKBTRAIL_CHURN_AGENT: the program, for one that is built with
sanitizers; SKBTRAIL_CHURN_MIB: by how much it may grow. Runs on any kernel that takes the monitor, also outside of the lab.
"""

import collections
import dataclasses
import os
import pathlib
import re
import signal
import socket
import statistics
import subprocess
import time

import suite_lib as lab
from pod_lab import IN_TIME, ROOT, RUNTIME, Runtime, said

SECONDS = float(os.environ.get("SKBTRAIL_CHURN_SECONDS", "110"))
PROGRAM = os.environ.get("SKBTRAIL_CHURN_AGENT", "skbtrail")
MOST_MIB = float(os.environ.get("SKBTRAIL_CHURN_MIB", "2"))
KIB_OF_SERIES = 1    # names and values of one
GRACE = 300      # seconds until series of a deleted pod are folded
SETTLED = GRACE + 30
HELD = 75        # seconds until the agent has closed the namespace of a deleted pod
LIVING = 6       # pods at once
DATAGRAMS = 10   # that each of them loses in a round
PERIOD = 1       # seconds for a round, which makes one pod and deletes one
CLOSED = 9       # a port that nobody listens on
SUFFIX = f"_{os.getpid() % 10000}"
PODS, NODE = "skbtrail_drops_total", "skbtrail_node_drops_total"
COMPLAINTS = re.compile(r"AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:")


class Pod:
    """A namespace with a link to the node, whose packets to a port of its own are lost."""

    def __init__(self, number):
        self.name, self.link = f"churn-{number}", f"x{number % 1000}{SUFFIX}"
        self.netns = lab.Netns()
        lab.run("ip", "link", "add", self.link, "type", "veth", "peer", "name", "eth0", "netns", self.netns)
        for command in (["link", "set", self.link, "up"], ["-n", self.netns.name, "link", "set", "eth0", "up"]):
            lab.run("ip", *command)
        self.said = said(self.name, self.netns, f"10.99.{number // 250 % 250}.{number % 250 + 1}", suffix=SUFFIX)
        self._sender = lab.socket_in(self.netns, socket.AF_INET)

    def lose(self):
        for _ in range(DATAGRAMS):
            self._sender.sendto(b"lost", ("127.0.0.1", CLOSED))
        return DATAGRAMS

    def delete(self):
        self._sender.close()
        self.netns.delete()     # and both ends of the link with it


@dataclasses.dataclass
class Look:
    """The agent at one moment."""

    at: float
    mib: float
    files: int
    series: float
    sums: collections.Counter    # of the counters of drops, by name, reason and whether they are of our pods

    @classmethod
    def take(cls, agent, began):
        samples = agent.scrape()
        sums = collections.Counter()
        for sample, value in samples.items():
            labels = dict(sample.labels)
            if sample.name in (PODS, NODE):
                sums[sample.name, labels["reason"], labels.get("namespace") == "shop" and labels["protocol"]] += value
        status = pathlib.Path(f"/proc/{agent.process.pid}/status").read_text()
        return cls(time.monotonic() - began, int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) / 1024,
                   len(os.listdir(f"/proc/{agent.process.pid}/fd")),
                   samples[lab.Sample("skbtrail_series", frozenset())], sums)

    def of_pods(self):
        return sum(value for (name, _, protocol), value in self.sums.items() if name == PODS and protocol == "udp")


def churn(agent, runtime, seconds):
    """(datagrams that were lost, pods that were made, looks at the agent)."""
    began, pods, lost, made, looks = time.monotonic(), [], 0, 0, []
    while time.monotonic() - began < seconds:
        round_began = time.monotonic()
        pods.append(Pod(made))
        made += 1
        runtime.publish([pod.said for pod in pods])
        # The agent hears of the new one in a tenth of a second, slow machines count: it begins in the next round.
        lost += sum(pod.lose() for pod in pods[:-1])
        if len(pods) > LIVING:
            pods.pop(0).delete()
            runtime.publish([pod.said for pod in pods])
        if made % 20 == 0:
            agent.process.send_signal(signal.SIGHUP)    # reads its configuration again, and counts on
        if made % 5 == 0:
            looks.append(Look.take(agent, began))
        time.sleep(max(0, PERIOD - (time.monotonic() - round_began)))
    looks.append(Look.take(agent, began))
    runtime.publish([])
    for pod in pods:
        pod.delete()
    return lost, made, looks


def settled(looks):
    """What is compared: two equal parts of the time after things have settled, as far as there was time for it."""
    from_here = SETTLED if SECONDS >= SETTLED + 120 else min(HELD, SECONDS / 2)
    kept = [look for look in looks if look.at >= from_here]
    return kept[:len(kept) // 2], kept[len(kept) // 2:]


def growth_of(looks, what, of=statistics.median):
    early, late = settled(looks)
    return of(map(what, late)) - of(map(what, early))


def never_backwards(looks):
    return [(key, before.sums[key], after.sums[key]) for before, after in zip(looks, looks[1:]) for key in before.sums
            if after.sums[key] < before.sums[key]]


def judge(agent, lost, made, looks):
    early, late = settled(looks)
    grown = growth_of(looks, lambda look: look.mib)
    print(f"    # {made} pods in {SECONDS:g} s, {lost} drops; RSS {early[0].mib:.1f}, then {late[-1].mib:.1f} MiB; "
          f"{early[0].files}, then {late[-1].files} files; {early[0].series:.0f}, then {late[-1].series:.0f} series "
          f"(most {max(look.series for look in looks):.0f})")
    table = [f"{look.at:.0f} s: {look.mib:.1f} MiB, {look.files} files, {look.series:.0f} series" for look in looks]
    # Counts of deleted pods are kept for a while, and take their room; the heap grows by 2 MiB at a time.
    kept = max(0, growth_of(looks, lambda look: look.series)) * KIB_OF_SERIES / 1024
    lab.check("memory does not grow, but for the counts that are kept", grown <= MOST_MIB + kept,
              f"by {grown:.2f} MiB, of which {kept:.2f} are for series", *table)
    name = "open files do not grow"
    if SECONDS < HELD + 30:
        lab.skip(name, f"time for namespaces of deleted pods to be closed: SKBTRAIL_CHURN_SECONDS={HELD + 30} or more")
    else:       # their most, since slices of timing open some; a few pods more or less lie between two looks
        lab.check(name, growth_of(looks, lambda look: look.files, max) <= 5, *table)
    name = "series do not grow"
    if SECONDS < SETTLED + 120:
        lab.skip(name, f"time for deleted pods to be folded: SKBTRAIL_CHURN_SECONDS={SETTLED + 120} or more")
    else:
        lab.check(name, growth_of(looks, lambda look: look.series) <= 0.05 * early[0].series, *table)
    lab.check("each drop is counted once, as a pod's, also of pods that are gone", looks[-1].of_pods() == lost,
              looks[-1].of_pods(), lost)
    back = never_backwards(looks)
    lab.check("no sum goes backwards, when a pod goes or the agent reads its configuration", not back, back)
    found = COMPLAINTS.search(agent.told())
    lab.check("the agent has nothing to complain of", not found, agent.told())


def main():
    if not RUNTIME.exists():
        lab.skip("pods that come and go", f"{RUNTIME.relative_to(ROOT)}: cmake --build --preset release")
        lab.finish()
    with Runtime() as runtime:
        # Times of packets belong to it: their slices come and go meanwhile.
        with lab.Agent("--cri", runtime.socket, "--latency-percent", 50, program=PROGRAM) as agent:
            if not lab.wait_until(lambda: "skbtrail_container_runtime_up 1" in agent.page(), IN_TIME):
                lab.not_ok("the agent hears the runtime", agent.told())
            judge(agent, *churn(agent, runtime, SECONDS))
    lab.check("SIGTERM ends the agent with status 0", agent.status == 0, agent.status, agent.stderr)
    lab.check("and without a complaint", not COMPLAINTS.search(agent.stderr), agent.stderr)
    lab.finish()


if __name__ == "__main__":
    try:
        main()
    except subprocess.TimeoutExpired as error:
        lab.not_ok("the machine keeps up", error)
        lab.finish()
