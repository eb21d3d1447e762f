#!/usr/bin/env python3
"""The monitor's names: whose counter rises, for drops in a pod's namespace and for those that the node makes of a pod's
packets. A container runtime says what the test says.

Runs on any kernel that takes the monitor, also outside of the lab; what would change settings of the machine's own
network is left to the lab.
"""

import collections
import contextlib
import os
import pathlib
import re
import socket

import suite_lib as lab
from drop_lab import BURST, CAUSES, V4, V6, Network, Traffic
from pod_lab import RUNTIME, Runtime
from pod_lab import said as said_of

ROOT = pathlib.Path(__file__).resolve().parents[3]
HAS_REASONS = lab.kernel_version() >= (5, 17)
IN_LAB = "SKBTRAIL_LAB_KERNEL" in os.environ
ROUNDS = 3
NUMBER = os.getpid() % 10000
SUFFIX = f"_{NUMBER}"
BRIDGE = f"c{SUFFIX}"
PODS, NODE, PATH = "skbtrail_drops_total", "skbtrail_node_drops_total", "skbtrail_path_packets_total"
IN_TIME = 10     # seconds for what takes a tenth of one; emulation is slow
BLOCKED = 9010   # a port that the node forwards nothing to


def reason(*names):
    """What this kernel calls one of these reasons."""
    return set(names) if HAS_REASONS else {"NOT_SPECIFIED"}


def said(name, netns, *ips):
    return said_of(name, netns, *ips, suffix=SUFFIX)


class Pod:
    """A pod of a bridge, as the CNI plugin `bridge` makes it."""

    def __init__(self, number, name):
        self.name, self.link = name, f"p{number}{SUFFIX}"
        self.v4, self.v6 = f"10.88.77.{number + 1}", f"fd00:8877::{number + 1}"
        self.netns = lab.Netns()
        lab.run("ip", "link", "add", self.link, "type", "veth", "peer", "name", "eth0", "netns", self.netns)
        lab.run("ip", "link", "set", self.link, "master", BRIDGE, "up")
        self.netns.ip("addr", "add", f"{self.v4}/24", "dev", "eth0")
        self.netns.ip("addr", "add", f"{self.v6}/64", "dev", "eth0", "nodad")
        self.netns.ip("link", "set", "eth0", "up")
        self.netns.ip("route", "add", "default", "via", "10.88.77.1")
        self.netns.ip("-6", "route", "add", "default", "via", "fd00:8877::1")
        self.said = said(name, self.netns, self.v4, self.v6)

    def address(self, family):
        return {V4: self.v4, V6: self.v6}[family]

    def send(self, address, port):
        family = V6 if ":" in address else V4
        with lab.socket_in(self.netns, family) as sender:
            sender.sendto(b"x", (address, port))


class Node:
    """A bridge of the node with its pods a and b, and somebody outside of it."""

    def __init__(self):
        lab.run("ip", "link", "add", BRIDGE, "type", "bridge")
        lab.run("ip", "addr", "add", "10.88.77.1/24", "dev", BRIDGE)
        lab.run("ip", "addr", "add", "fd00:8877::1/64", "dev", BRIDGE, "nodad")
        lab.run("ip", "link", "set", BRIDGE, "up")
        self.a, self.b = Pod(1, "a"), Pod(2, "b")
        self.up = f"u{SUFFIX}"
        self.outside = lab.Netns()
        lab.run("ip", "link", "add", self.up, "type", "veth", "peer", "name", "eth0", "netns", self.outside)
        for options in (["addr", "add", "10.88.78.1/24", "dev", self.up],
                        ["addr", "add", "fd00:8878::1/64", "dev", self.up, "nodad"], ["link", "set", self.up, "up"]):
            lab.run("ip", *options)
        for options in (["addr", "add", "10.88.78.2/24", "dev", "eth0"],
                        ["addr", "add", "fd00:8878::2/64", "dev", "eth0", "nodad"], ["link", "set", "eth0", "up"],
                        ["route", "add", "default", "via", "10.88.78.1"],
                        ["-6", "route", "add", "default", "via", "fd00:8878::1"]):
            self.outside.ip(*options)
        for address in (self.b.v4, self.b.v6, "10.88.77.1", "fd00:8877::1"):
            self.a.netns.run("ping", "-c1", "-W5", address)     # neighbours know each other from here on
        for address in ("10.88.78.1", "fd00:8878::1"):
            self.outside.run("ping", "-c1", "-W5", address)
        for address in (self.b.v4, self.b.v6):
            lab.run("ping", "-c1", "-W5", address)

    def delete(self):
        for netns in (self.a.netns, self.b.netns, self.outside):
            netns.delete()
        lab.run("ip", "link", "delete", BRIDGE)


# ---- in the namespaces of pods

def expected(traffics):
    """{(pod, protocol, reasons): packets} of these rounds. The causes' namespaces are the pods."""
    wanted = collections.Counter()
    for cause in CAUSES:
        if cause.lacked:
            continue
        protocol = "tcp" if "tcp" in cause.key else "udp"
        for family in cause.places:
            for traffic in traffics:
                wanted[cause.where, protocol, frozenset(reason(*cause.reason.split()))] += {
                    "rcvbuf": BURST - len(traffic.kept[family]),
                    "qdisc": traffic.overlimit[family]}.get(cause.key, 1)
    return wanted


def inside(agent, network):
    before = agent.scrape()
    traffics = [Traffic(network) for _ in range(ROUNDS)]
    after = agent.scrape()
    grown = lab.growth(before, after, PODS, "namespace", "pod", "protocol", "reason")
    # Reports of membership and errors that come back are the network's own affair.
    grown = {key: count for key, count in grown.items() if key[0] == "shop" and key[2] in ("udp", "tcp")}
    left = dict(grown)
    for (pod, protocol, reasons), count in expected(traffics).items():
        keys = [key for key in grown if key[1:3] == (pod, protocol) and key[3] in reasons]
        seen = sum(left.pop(key, 0) for key in keys)
        lab.check(f"pod {pod} loses {count} {protocol} packets: {'/'.join(sorted(reasons))}", seen == count, seen, grown)
    lab.check("no pod loses anything else, and the one that does nothing loses nothing", not left, left)


# ---- by the node

@contextlib.contextmanager
def loses(agent, name, pod, direction, reasons, interface, count):
    """The block loses `count()` packets; nobody's counter but that of `pod` rises."""
    before = agent.scrape()
    yield
    after = agent.scrape()
    wanted = count()
    grown = {key: value for key, value in lab.growth(before, after, PODS, "namespace", "pod", "protocol", "direction",
                                                      "reason").items() if key[2] == "udp" and key[0] == "shop"}
    seen = sum(value for key, value in grown.items() if key[1] == pod and key[3] == direction and key[4] in reasons)
    lab.check(f"{name}: {wanted} drops of pod {pod}, {direction}", wanted and seen == sum(grown.values()) == wanted,
              wanted, grown)
    places = lab.growth(before, after, NODE, "interface", "reason")
    seen = sum(value for (where, why), value in places.items() if where == interface and why in reasons)
    lab.check(f"{name}: the interface says which side", seen >= wanted, interface.replace(SUFFIX, ""), places)


def link_ingress(agent, node):
    """What the pod sends ends at the node's end of its link."""
    name = "dropped as it arrives at the node's end of the link"
    link = node.a.link
    if lab.run("tc", "qdisc", "add", "dev", link, "clsact", check=False).returncode:
        lab.skip(name, "sch_ingress")
        return
    rule = ["protocol", "all", "prio", "1", "matchall", "action", "drop"]
    if lab.run("tc", "filter", "add", "dev", link, "ingress", *rule, check=False).returncode:
        lab.skip(name, "cls_matchall or act_gact")
    else:
        # Each family's drop also has the packet as the pod's own interface sent it: inside nothing is lost.
        reasons = reason("TC_INGRESS", "NOT_SPECIFIED")
        with loses(agent, name, "a", "egress", reasons, link, lambda: 2 * ROUNDS):
            for _ in range(ROUNDS):
                for family in (V4, V6):
                    node.a.send(node.b.address(family), 9001)
    lab.run("tc", "qdisc", "delete", "dev", link, "clsact")


def bridged(agent, node):
    """From port to port the bridge forwards nothing between two that are isolated from each other."""
    links = [pod.link for pod in (node.a, node.b)]
    for link in links:
        lab.run("bridge", "link", "set", "dev", link, "isolated", "on")
    with loses(agent, "dropped by the bridge", "a", "egress", reason("NOT_SPECIFIED", "BRIDGE_INGRESS_STP_STATE"),
               links[0], lambda: 2 * ROUNDS):
        for _ in range(ROUNDS):
            for family in (V4, V6):
                node.a.send(node.b.address(family), 9002)
    for link in links:
        lab.run("bridge", "link", "set", "dev", link, "isolated", "off")


def forwarded(agent, node):
    if not IN_LAB:
        lab.skip("dropped where the node forwards", "a network of its own: settings of this machine stay as they are")
        return
    for setting in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
        pathlib.Path(f"/proc/sys/net/{setting}").write_text("1", encoding="ascii")
    lab.run("nft", "add", "table", "inet", "lab")
    lab.run("nft", "add", "chain", "inet", "lab", "forward", "{ type filter hook forward priority 0; }")
    lab.run("nft", "add", "rule", "inet", "lab", "forward", "udp", "dport", BLOCKED, "drop")
    outside = {V4: "10.88.78.2", V6: "fd00:8878::2"}
    with loses(agent, "dropped where the node forwards what a pod sent", "a", "egress", reason("NETFILTER_DROP"), BRIDGE,
               lambda: 2 * ROUNDS):
        for _ in range(ROUNDS):
            for family in (V4, V6):
                node.a.send(outside[family], BLOCKED)
    with loses(agent, "dropped where the node forwards what is for a pod", "b", "ingress", reason("NETFILTER_DROP"),
               node.up, lambda: 2 * ROUNDS):
        for _ in range(ROUNDS):
            for family in (V4, V6):
                with lab.socket_in(node.outside, family) as sender:
                    sender.sendto(b"x", (node.b.address(family), BLOCKED))
    lab.run("nft", "delete", "table", "inet", "lab")


def queued(agent, node):
    """A queue at the node's end of the link that has room for less than what comes."""
    link = node.b.link
    name = "dropped by the queue at the node's end of the link"
    limits = ["rate", "8kbit", "burst", "1600", "limit", "1000"]
    if lab.run("tc", "qdisc", "add", "dev", link, "root", "tbf", *limits, check=False).returncode:
        lab.skip(name, "sch_tbf")
        return

    def refused():
        return int(re.search(r"dropped (\d+)", lab.run("tc", "-s", "qdisc", "show", "dev", link).stdout)[1])

    for family, word in ((V4, "IPv4"), (V6, "IPv6")):
        first = refused()
        # What comes through late must find a socket.
        with lab.socket_in(node.b.netns, family) as receiver:
            receiver.bind(("", 9003))
            with loses(agent, f"{name}, {word}", "b", "ingress", reason("QDISC_OVERLIMIT", "QDISC_DROP"), link,
                       lambda first=first: refused() - first), socket.socket(family, socket.SOCK_DGRAM) as sender:
                for _ in range(BURST):
                    sender.sendto(bytes(100), (node.b.address(family), 9003))
    lab.run("tc", "qdisc", "delete", "dev", link, "root")


def of_the_node(agent):
    before = agent.scrape()
    with socket.socket(V4, socket.SOCK_DGRAM) as sender:
        for _ in range(ROUNDS):
            sender.sendto(b"x", ("127.0.0.1", 9))
    grown = {key: count for key, count in lab.growth(before, agent.scrape(), PODS, "namespace", "protocol", "reason").items()
             if key[1] == "udp"}
    mine = sum(count for (namespace, _, why), count in grown.items() if not namespace and why in reason("NO_SOCKET"))
    lab.check("what the node itself loses has no pod", mine >= ROUNDS and not any(key[0] for key in grown), grown)


def path(agent, node):
    """Packets by pod and direction, exactly as many as its interface says."""
    before = agent.scrape()
    for _ in range(5):
        node.a.send(node.b.v4, 9004)
    after = agent.scrape()
    grown = lab.growth(before, after, PATH, "pod", "direction")
    lab.check("packets that a pod sends are counted, and received by another",
              grown.get(("a", "egress"), 0) >= 5 and grown.get(("b", "ingress"), 0) >= 5, grown)


def lookups(before, after):
    grown = lab.growth(before, after, "skbtrail_pod_lookups_total", "result")
    lab.check("lookups are told by what they found", grown.get(("hit",), 0) > 0 and grown.get(("host",), 0) > 0, grown)


def value(samples, name):
    return samples.get(lab.Sample(name, frozenset()))


def without_a_runtime():
    with lab.Agent("--cri", "/nonexistent/cri.sock") as agent:
        samples = agent.scrape()
        lab.check("without a runtime the agent counts, and a metric tells", value(samples, "skbtrail_pods") == 0 and
                  value(samples, "skbtrail_container_runtime_up") == 0)
    lines = [line for line in agent.stderr.splitlines() if "container runtime" in line or "/nonexistent" in line]
    lab.check("and says so once", len(lines) == 1 and "/nonexistent/cri.sock" in lines[0], agent.stderr)


def main():
    without_a_runtime()
    if not RUNTIME.exists():
        lab.skip("names of pods", f"{RUNTIME.relative_to(ROOT)}: cmake --build --preset release")
        lab.finish()
    lab.load_module("nf_tables")
    network = Network(SUFFIX)
    idle = lab.Netns()
    node = Node() if lab.load_module("bridge") or os.path.exists("/sys/module/bridge") else None
    with Runtime() as runtime, lab.Agent("--cri", runtime.socket) as agent:
        bridge_pods = [node.a.said, node.b.said] if node else []
        runtime.publish([said("client", network.client, "10.1.0.1", "fd00:1::1"), said("router", network.router, "10.1.0.2"),
                         said("server", network.server, "10.2.0.2"), said("idle", idle, "10.9.9.9"), *bridge_pods])
        known = lab.wait_until(lambda: value(samples := agent.scrape(), "skbtrail_pods") == 4 + len(bridge_pods) and
                               samples, IN_TIME)
        lab.check("pods that the runtime tells of are counted", known and
                  value(known, "skbtrail_container_runtime_up") == 1, known)
        first = agent.scrape()
        inside(agent, network)
        if node:
            for part in (link_ingress, bridged, forwarded, queued, path):
                part(agent, node)
        else:
            lab.skip("drops that the node makes", "the module bridge")
        of_the_node(agent)
        lookups(first, agent.scrape())
    if node:
        node.delete()
    idle.delete()
    network.delete()
    lab.finish()


main()
