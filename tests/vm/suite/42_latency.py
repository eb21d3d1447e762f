#!/usr/bin/env python3
"""How long packets take, by stage: delays that the test makes appear in their stage, at their pod, within a tenth."""

import collections
import pathlib
import socket
import statistics
import threading
import time

import suite_lib as lab
from pod_lab import IN_TIME, ROOT, RUNTIME, Runtime, said

LATENCY, MEASURED = "skbtrail_path_latency_seconds", "skbtrail_path_latency_measured_seconds_total"
SAMPLED = "skbtrail_path_latency_sampled_ratio"
HOST, POD = "10.88.79.1", "10.88.79.2"
PACKETS = 40
QDISC_DELAY = 0.2    # seconds
READER_DELAY = 0.15
SLICE = 10           # seconds: what was timed is told when the slice is over
LITTLE = "0.067108864"   # the bound of a bucket below both delays, and above what emulation takes


class PodNetwork:
    """A pod with a link to the node."""

    def __init__(self):
        self.netns = lab.Netns()
        lab.run("ip", "link", "add", "plat", "type", "veth", "peer", "name", "eth0", "netns", self.netns)
        lab.run("ip", "addr", "add", f"{HOST}/24", "dev", "plat")
        lab.run("ip", "link", "set", "plat", "up")
        self.netns.ip("addr", "add", f"{POD}/24", "dev", "eth0")
        self.netns.ip("link", "set", "eth0", "up")
        self.netns.ip("link", "set", "lo", "up")
        lab.run("ping", "-c1", "-W5", POD)     # neighbours know each other from here on

    def receiver(self, port):
        receiver = lab.socket_in(self.netns, socket.AF_INET)
        receiver.bind((POD, port))
        receiver.settimeout(IN_TIME)
        return receiver

    def delete(self):
        self.netns.delete()


def times(samples):
    """{stage: (mean of those above LITTLE, their number)} of the pod."""
    seen = collections.defaultdict(dict)
    for sample, value in samples.items():
        labels = dict(sample.labels)
        if labels.get("pod") == "lat" and sample.name.startswith(LATENCY):
            seen[labels["stage"]][sample.name.removeprefix(LATENCY) + labels.get("le", "")] = value
    found = {}
    for stage, parts in seen.items():
        above = parts["_count"] - parts[f"_bucket{LITTLE}"]
        found[stage] = (parts["_sum"] / above if above else 0, above)
    return found


def grown(before, after):
    return {sample: value - before.get(sample, 0) for sample, value in after.items()}


def by_stage(samples, name):
    return {dict(sample.labels)["stage"]: value for sample, value in samples.items() if sample.name == name}


def measured(samples):
    """Seconds of the stage that was measured least."""
    return min(by_stage(samples, MEASURED).values())


def timed(agent, traffic):
    """What the agent has timed while `traffic()` ran, and what that gave. Begins with a slice, so that it lies in one."""
    def after_a_slice(last):
        return lab.wait_until(lambda: measured(samples := agent.scrape()) > last and samples, 3 * SLICE)

    before = after_a_slice(measured(agent.scrape()))
    truth = traffic()
    after = after_a_slice(measured(before))
    return times(grown(before, after)), truth


def close(seen, wanted):
    """Whether most packets were timed, and took as long as they did."""
    mean, count = seen
    return count >= 0.8 * PACKETS and abs(mean - wanted) < 0.1 * wanted


def through_a_queue(network):
    """Sends through a link that delays; the mean of how long the packets were on their way."""
    sent, took = [], []

    def receive(receiver):
        for number in range(PACKETS):
            receiver.recv(16)
            took.append(time.monotonic() - sent[number])

    with network.receiver(9020) as receiver, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        reader = threading.Thread(target=receive, args=(receiver,))
        reader.start()
        for _ in range(PACKETS):
            sent.append(time.monotonic())
            sender.sendto(b"x", (POD, 9020))
            time.sleep(0.02)
        reader.join()
    return statistics.mean(took)


def to_a_slow_reader(network):
    """Sends datagrams to a reader that lets each wait; the mean of how long they did."""
    took = []
    with network.receiver(9021) as receiver, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(PACKETS):
            sender.sendto(b"x", (POD, 9021))
            arrived = time.monotonic()
            time.sleep(READER_DELAY)
            receiver.recv(16)
            took.append(time.monotonic() - arrived)
    return statistics.mean(took)


def over_a_connection(network):
    """The same with TCP."""
    took = []
    with lab.socket_in(network.netns, socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind((POD, 9022))
        listener.listen()
        with socket.create_connection((POD, 9022), timeout=IN_TIME) as sender, listener.accept()[0] as receiver:
            for _ in range(PACKETS):
                sender.sendall(b"x")
                arrived = time.monotonic()
                time.sleep(READER_DELAY)
                receiver.recv(16)
                took.append(time.monotonic() - arrived)
    return statistics.mean(took)


def stages(agent, network):
    seen, truth = timed(agent, lambda: over_a_connection(network))
    print(f"    # a connection: read after {truth:.4f} s; {dict(seen)}")
    lab.check("what a reader lets wait on a connection is in stage socket", close(seen["socket"], truth), seen, truth)
    tells_delivery = "receive" in seen
    lab.check("on the way there is hardly any time", all(count < 0.1 * PACKETS for stage, (_, count) in seen.items()
                                                         if stage != "socket"), seen)
    if not tells_delivery:
        lab.skip("what a reader lets wait of datagrams is in stage socket", "tracepoint sk_data_ready (Linux 6.4)")
    elif lab.kernel_version() >= (6, 18):
        lab.skip("what a reader lets wait of datagrams is in stage socket",
                 "a tracepoint where UDP is done with a packet (gone in Linux 6.18)")
    else:
        seen, truth = timed(agent, lambda: to_a_slow_reader(network))
        print(f"    # datagrams: read after {truth:.4f} s; {dict(seen)}")
        lab.check("what a reader lets wait of datagrams is in stage socket", close(seen["socket"], truth), seen, truth)
    if not lab.load_module("sch_netem") and not pathlib.Path("/sys/module/sch_netem").exists():
        lab.skip("what a queue holds back is in stage qdisc", "the module sch_netem")
        return
    lab.run("tc", "qdisc", "add", "dev", "plat", "root", "netem", "delay", f"{QDISC_DELAY * 1000:g}ms")
    seen, truth = timed(agent, lambda: through_a_queue(network))
    lab.run("tc", "qdisc", "delete", "dev", "plat", "root")
    print(f"    # a queue: received after {truth:.4f} s; {dict(seen)}")
    lab.check("what a queue holds back is in stage qdisc", close(seen["qdisc"], truth), seen, truth)
    lab.check("and in no other", all(count < 0.1 * PACKETS for stage, (_, count) in seen.items() if stage != "qdisc"),
              seen)


def one_way_at_a_time():
    """An agent takes a node for busy until it has seen it, so its first slices show what it does on one."""
    with lab.Agent("--latency-percent", 50) as agent:
        def first_slice():
            seconds = by_stage(agent.scrape(), MEASURED)
            return seconds if any(seconds.values()) else None

        seconds = lab.wait_until(first_slice, 2 * SLICE)
        out = [seconds[stage] > 0 for stage in ("transmit", "qdisc", "wire")]
        into = [value > 0 for stage, value in seconds.items() if stage in ("receive", "socket")]
        lab.check("of a busy node a slice times the way out or the way in",
                  all(out) != all(into) and any(out) != any(into), seconds)
        lab.check("and the next one the other", lab.wait_until(lambda: measured(agent.scrape()) > 0, 3 * SLICE))


def nothing_when_off():
    with lab.Agent("--latency-percent", 0) as agent:
        samples = agent.scrape()
        lab.check("without a share of time nothing is timed, and no series is there",
                  not any(sample.name.startswith("skbtrail_path_latency") for sample in samples), samples)


def main():
    if not RUNTIME.exists():
        lab.skip("how long packets take", f"{RUNTIME.relative_to(ROOT)}: cmake --build --preset release")
        lab.finish()
    network = PodNetwork()
    with Runtime() as runtime, lab.Agent("--cri", runtime.socket, "--latency-percent", 100) as agent:
        # One packet in 64 to begin with; each slice with little in it times four as many.
        lab.wait_until(lambda: set(by_stage(agent.scrape(), SAMPLED).values()) == {1}, 6 * SLICE)
        runtime.publish([said("lat", network.netns, POD)])
        lab.wait_until(lambda: any(sample.name == "skbtrail_pods" and value for sample, value in agent.scrape().items()),
                       IN_TIME)
        stages(agent, network)
    lab.check("the agent has nothing to complain of", "time packets" not in agent.stderr, agent.stderr)
    network.delete()
    one_way_at_a_time()
    nothing_when_off()
    lab.finish()


main()
