#!/usr/bin/env python3
"""Packets whose way is known: each keeps one identity from its sender to its receiver, in the right order, and every
field of its events is what the network was set up with. Then what selects packets and functions, and the ways to attach.

Traces that can look at the same traffic run at the same time: attaching costs more than tracing.
"""

import concurrent.futures
import functools
import importlib.util
import json
import pathlib
import re
import socket
import subprocess
import time

import suite_lib as lab

V4, V6 = socket.AF_INET, socket.AF_INET6
SO_MARK = 36
ARP = 0x806
SCHEMA = pathlib.Path(__file__).resolve().parents[3] / "docs" / "event.schema.json"
PATH = ("--probes", "path")
# Neighbour and group discovery, which the kernel sends when it likes (types of ICMPv6).
CHATTER = range(130, 144)
BACKENDS = [feature["name"] for feature in json.loads(lab.run("skbtrail", "check", "-o", "json").stdout)["features"]
            if feature["available"] and feature["name"] in ("fentry.multi", "kprobe.multi", "kprobe")]
# How much of the kernel the paths are traced with.
PROBES = {"path": PATH, "all": ("--probes", "all", "--all-kmods")}
if BACKENDS == ["kprobe"]:
    # Over a thousand single kprobes come and go for longer than all the rest takes, and 90_oracle has that once.
    del PROBES["all"]

PORT = {name: 31000 + number for number, name in enumerate(
    ["udp4", "udp6", "tcp4", "tcp6", "marked", "unmarked", "vlan", "vxlan", "fragments4", "fragments6", "loopback",
     "forwarded4", "forwarded6", "bridged", "whole", "segmented", "without-gso", "sctp", "published",
     "behind"])}


# ---- the network

class Network:
    """left -- router -- right; a VLAN and a VXLAN from left to router; one -- bridge -- two."""

    def __init__(self):
        self.left, self.router, self.right = lab.Netns(), lab.Netns(), lab.Netns()
        self.one, self.bridge, self.two = lab.Netns(), lab.Netns(), lab.Netns()
        lab.veth(self.left, self.router, ("veth0", "west"))
        lab.veth(self.router, self.right, ("east", "veth0"), number=2)
        for setting in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
            self.router.sysctl(f"net/{setting}", 1)
        for netns, v4, v6 in ((self.left, "10.1.0.2", "fd00:1::2"), (self.right, "10.2.0.1", "fd00:2::1")):
            netns.ip("route", "add", "default", "via", v4)
            netns.ip("-6", "route", "add", "default", "via", v6)
        for netns, device, host in ((self.left, "veth0", 1), (self.router, "west", 2)):
            netns.ip("link", "add", "link", device, "name", "vlan5", "type", "vlan", "id", 5)
            netns.ip("link", "add", "vx0", "type", "vxlan", "id", 42, "dstport", 4789, "dev", device,
                     "local", f"10.1.0.{host}", "remote", f"10.1.0.{3 - host}")
            for name, number in (("vlan5", 5), ("vx0", 6)):
                netns.ip("addr", "add", f"10.{number}.0.{host}/24", "dev", name)
                netns.ip("link", "set", name, "up")
        self._bridge()
        self._translate()
        self.warm_up()

    def _bridge(self):
        self.bridge.ip("link", "add", "br0", "type", "bridge", "forward_delay", 0)
        for netns, port, host in ((self.one, "port1", 1), (self.two, "port2", 2)):
            lab.run("ip", "link", "add", "veth0", "netns", netns, "type", "veth", "peer", "name", port,
                    "netns", self.bridge)
            netns.ip("addr", "add", f"10.7.0.{host}/24", "dev", "veth0")
            netns.ip("link", "set", "veth0", "up")
            self.bridge.ip("link", "set", port, "master", "br0", "up")
        self.bridge.ip("link", "set", "br0", "up")

    def _translate(self):
        """What comes to the router's published port goes to a port of `right`, with the router as its sender."""
        rules = f"""table ip nat {{
            chain pre {{ type nat hook prerouting priority -100;
                udp dport {PORT["published"]} dnat to 10.2.0.2:{PORT["behind"]}; }}
            chain post {{ type nat hook postrouting priority 100;
                udp dport {PORT["behind"]} masquerade; }}
        }}"""
        self.lacks_nat = self.router.run("nft", "-f", "-", stdin=rules, check=False).stderr

    def warm_up(self):
        """Neighbour entries, so that the first packet is the one that was sent."""
        for netns, address in ((self.left, "10.2.0.2"), (self.left, "fd00:2::2"), (self.left, "10.5.0.2"),
                               (self.left, "10.6.0.2"), (self.one, "10.7.0.2")):
            netns.run("ping", "-c2", "-i0.2", "-W5", address)

    def delete(self):
        for netns in (self.left, self.router, self.right, self.one, self.bridge, self.two):
            netns.delete()


def datagram(sender, receiver, address, port, family=V4, size=100, mark=0, bound=None):
    """One datagram that its receiver reads, who is `bound` elsewhere when it is translated; hands the sender's port back.
    """
    with lab.socket_in(receiver, family) as there, lab.socket_in(sender, family) as here:
        there.bind(bound or (address, port))
        there.settimeout(20)
        if mark:
            here.setsockopt(socket.SOL_SOCKET, SO_MARK, mark)
        here.sendto(bytes(size), (address, port))
        assert len(there.recv(65535)) == size
        return here.getsockname()[1]


def connection(sender, receiver, address, port, family=V4, size=20000, protocol=0, source=None):
    """A connection from its first SYN to its last ACK; hands the client's port back."""
    with lab.socket_in(receiver, family, socket.SOCK_STREAM, protocol) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen()
        listener.settimeout(20)
        with lab.socket_in(sender, family, socket.SOCK_STREAM, protocol) as client:
            client.settimeout(20)
            if source:
                client.bind((source, 0))
            client.connect((address, port))
            accepted = listener.accept()[0]
            with accepted:
                accepted.settimeout(20)
                client.sendall(bytes(size))
                left = size
                while left:
                    left -= len(accepted.recv(left))
                if protocol != socket.IPPROTO_SCTP:     # which has no half-closed state
                    client.shutdown(socket.SHUT_WR)
                    assert accepted.recv(1) == b""
                    accepted.shutdown(socket.SHUT_WR)
                    assert client.recv(1) == b""
            time.sleep(0.05)
            return client.getsockname()[1]


def offloads(netns, device, **settings):
    netns.run("ethtool", "-K", device, *(part for item in settings.items() for part in item))


class Traces:
    """Several traces at once: {label: arguments}, from all ready to all stopped."""

    def __init__(self, **arguments):
        self.by_label = {label: lab.Trace(*each) for label, each in arguments.items()}

    def __enter__(self):
        with concurrent.futures.ThreadPoolExecutor() as pool:
            list(pool.map(lambda trace: trace.__enter__(), self.by_label.values()))
        time.sleep(0.3)
        self._ready_at = time.monotonic()
        return self

    def __exit__(self, *_):
        time.sleep(0.5)
        self.traffic_seconds = time.monotonic() - self._ready_at
        began = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor() as pool:
            list(pool.map(lambda trace: trace.stop(), self.by_label.values()))
        slowest = max(trace.attach_seconds for trace in self.by_label.values())
        print(f"# {len(self.by_label)} traces: ready in {slowest:.1f} s, traffic {self.traffic_seconds:.1f} s, "
              f"gone in {time.monotonic() - began:.1f} s", flush=True)
        for label, trace in self.by_label.items():
            if trace.status != 0 or not trace.totals:
                lab.not_ok(f"the trace '{label}' ends well", trace.status, trace.stderr)

    def __getitem__(self, label):
        return self.by_label[label]


# ---- what is said about packets

def ports(event):
    return {event["tuple"]["sport"], event["tuple"]["dport"]} if event.get("tuple") else set()


def is_chatter(event):
    return bool(event["tuple"]) and event["tuple"]["l4"] == "icmp6" and event["tuple"].get("icmp_type") in CHATTER


def packet_events(trace):
    """What happened to the packets that were sent here, and to those that the filters of this trace let through."""
    return [event for event in trace.events if event["type"] in ("hop", "drop") and not is_chatter(event)]


def journeys(trace, wanted):
    """The packets of which an event is wanted: lists of events in their order."""
    return [events for events in packets_of(trace).values() if any(wanted(event) for event in events)]


@functools.cache
def packets_of(trace):
    return trace.packets()


def to_port(port):
    return lambda event: bool(event["tuple"]) and event["tuple"]["dport"] == port


def the_journey(trace, wanted):
    found = journeys(trace, wanted)
    assert len(found) == 1, f"{len(found)} packets: " + "; ".join(route(events) for events in found)
    return found[0]


def route(events):
    return " ".join(f"{event['func']}({event['ifname'] or '-'})" for event in events)


# Where received packets are met; which of these a kernel lets us probe differs.
RECEIVED = ("__netif_receive_skb_core", "__netif_receive_skb", "__netif_receive_skb_one_core")


def is_at(event, function):
    """`function` may be several, of which one will do."""
    return event["func"].split(".")[0] in ((function,) if isinstance(function, str) else function)


def follows(events, *steps):
    """Every step, which is (function, namespace, device), occurs, in this order; hands the events back.

    None is what a packet does not say there: TCP takes the device away from what it queues.
    """
    rest, found = iter(events), []
    for function, netns, device in steps:
        event = next((event for event in rest if is_at(event, function)
                      and event["netns"] == (netns.inode if netns else None) and event["ifname"] == device), None)
        assert event, f"{function} in {netns} on {device} is not next: {route(events)}"
        if device:
            assert event["ifindex"] == ifindex(netns, device), event
        found.append(event)
    times = [event["ts"] for event in events]
    assert times == sorted(times), times
    assert [event["seq"] for event in events] == sorted(event["seq"] for event in events)
    assert [event["seq"] for event in events if event.get("first")] in ([events[0]["seq"]], []), route(events)
    return found


@functools.cache
def ifindex(netns, device):
    return netns.ifindex(device)


def sent4(netns, device):
    return ("__ip_local_out", netns, None), ("__dev_queue_xmit", netns, device), ("dev_hard_start_xmit", netns, device)


def sent6(netns, device, first="__ip6_local_out"):
    return (first, netns, None), ("__dev_queue_xmit", netns, device), ("dev_hard_start_xmit", netns, device)


def lengths(events, *expected):
    assert [event["len"] for event in events] == list(expected), [(event["func"], event["len"]) for event in events]


def tuples(events, **expected):
    for event in events:
        seen = {key: event["tuple"].get(key) for key in expected}
        assert seen == expected, event


# ---- paths

def echo(network, trace, target, family):
    left, router = network.left, network.router
    v4 = family == V4
    echoes = [8, 0] if v4 else [128, 129]
    found = [the_journey(trace, lambda event, each=each: bool(event["tuple"]) and target in (
        event["tuple"]["saddr"], event["tuple"]["daddr"]) and event["tuple"].get("icmp_type") == each)
        for each in echoes]
    receive = (RECEIVED, *(("ip_local_deliver", "icmp_rcv") if v4 else ("ip6_input", "icmpv6_rcv")))
    header = 20 if v4 else 40
    for events, (here, device), (there, peer) in ((found[0], (left, "veth0"), (router, "west")),
                                                  (found[1], (router, "west"), (left, "veth0"))):
        steps = follows(events, *(sent4 if v4 else sent6)(here, device), *((name, there, peer) for name in receive))
        # What is read at the transport's entry lies behind the network header already.
        lengths(steps[:4], header + 64, header + 78, header + 78, header + 64)
        tuples(events, l4="icmp" if v4 else "icmp6", sport=None, dport=None, tcp_flags=None)
        assert {event["proto"] for event in events} == {0x800 if v4 else 0x86dd}, route(events)
        assert {event["mtu"] for event in events if event["ifname"]} == {1500}
    assert found[0][0]["packet"] != found[1][0]["packet"]


def udp(network, trace, family, sport):
    left, router = network.left, network.router
    v4, port = family == V4, PORT["udp4" if family == V4 else "udp6"]
    events = the_journey(trace, to_port(port))
    receive = (RECEIVED, "ip_local_deliver" if v4 else "ip6_input")
    steps = follows(events, *(sent4 if v4 else sent6)(left, "veth0"), *((name, router, "west") for name in receive),
                    ("__udp_enqueue_schedule_skb", router, "west"))
    header = 20 if v4 else 40
    lengths(steps[:4], header + 108, header + 122, header + 122, header + 108)
    source, target = ("10.1.0.1", "10.1.0.2") if v4 else ("fd00:1::1", "fd00:1::2")
    tuples(events, saddr=source, daddr=target, sport=sport, dport=port, l4="udp", tcp_flags=None)
    assert "python" in events[0]["comm"], events[0]
    assert events[0]["delta_ns"] is None and all(event["delta_ns"] >= 0 for event in events[1:])


def tcp(network, trace, family, sport):
    left, router = network.left, network.router
    v4, port = family == V4, PORT["tcp4" if family == V4 else "tcp6"]
    syn = the_journey(trace, lambda event: to_port(port)(event) and event["tuple"]["tcp_flags"] == "SYN")
    receive = (RECEIVED, *(("ip_local_deliver", "tcp_v4_rcv") if v4 else ("ip6_input", "tcp_v6_rcv")))
    sent = sent4(left, "veth0") if v4 else sent6(left, "veth0", "ip6_output")
    if not v4:
        sent = (("ip6_output", left, syn[0]["ifname"]), *sent[1:])
    follows(syn, *sent, *((name, router, "west") for name in receive), ("tcp_rcv_state_process", None, None))
    packets = journeys(trace, lambda event: {sport, port} <= ports(event))
    for events in packets:
        flags = {(event["tuple"]["dport"], event["tuple"]["tcp_flags"]) for event in events if event["tuple"]}
        assert len(flags) == 1, f"one identity, several packets: {route(events)}"
        if events[0]["tuple"]["dport"] == port:
            follows(events, *((name, router, "west") for name in receive))
        else:
            follows(events, *((name, left, "veth0") for name in receive))
    carried = sum(payloads(packets, port, 20 if v4 else 40))
    assert carried == 20000, carried
    assert len(packets) >= 7, len(packets)


def payloads(packets, port, header=20):
    """How many bytes each packet brought to a TCP port; a SYN has longer options."""
    received = [next((event for event in events if is_at(event, RECEIVED) and event["tuple"]["dport"] == port
                      and "SYN" not in event["tuple"]["tcp_flags"]), None) for events in packets]
    return [event["len"] - header - 32 if event else 0 for event in received]


def offloaded(network, trace, name):
    """How a large write leaves: `whole` over the device, or cut by the kernel before it.

    TCP builds large packets in every case (since 4.17), so what a device without GSO gets is cut too.
    """
    left, router = network.left, network.router
    port = PORT[name]
    packets = packets_of(trace)
    sent = journeys(trace, to_port(port))
    sizes = payloads(sent, port)
    arrived = [events for events, size in zip(sent, sizes) if size]
    assert sum(sizes) == 20000, sizes
    assert (max(sizes) > 1500) == (name == "whole"), sizes
    for events in arrived:
        follows(events, (RECEIVED, router, "west"), ("tcp_v4_rcv", router, "west"))
    children = [events for events in arrived if events[0]["parent"]]
    if name == "whole":
        assert not children, [route(events) for events in children]
        for events in arrived:
            follows(events, *sent4(left, "veth0"), (RECEIVED, router, "west"))
        return
    assert len(children) >= len(arrived) - 1 > 3, f"{len(children)} of {len(arrived)} have a parent"
    for events in children:
        parent = packets[events[0]["parent"]]
        follows(parent, ("__ip_local_out", left, None), ("__dev_queue_xmit", left, "veth0"))
        assert parent[0]["seq"] < events[0]["seq"] and parent[0]["len"] > 1500


def fragments(network, trace, family):
    left, router = network.left, network.router
    v4, port = family == V4, PORT["fragments4" if family == V4 else "fragments6"]
    first = the_first(trace, port)
    whole = packets_of(trace)[first["packet"]]
    assert whole[0]["len"] == (4028 if v4 else 4048), whole[0]
    family_of = [events for events in packets_of(trace).values()
                 if first["packet"] in (events[0]["packet"], events[0]["parent"])]
    parts = [event for events in family_of if (event := next((one for one in events if is_at(one, RECEIVED)), None))]
    assert len(parts) == 3 and len({part["packet"] for part in parts}) == 3, [route(events) for events in family_of]
    assert sum(part["len"] - (20 if v4 else 48) for part in parts) == 4008, [part["len"] for part in parts]
    for part in parts:
        assert part["netns"] == router.inode and part["ifname"] == "west", part
        assert part["tuple"].get("fragment") is True and part["tuple"]["l4"] == "udp", part
    assert sorted(port in ports(part) for part in parts) == [False, False, True], parts
    received = [event for events in family_of for event in events
                if event["func"] == "__udp_enqueue_schedule_skb"]
    assert len(received) == 1, received
    assert received[0]["packet"] in {part["packet"] for part in parts}
    sent = [event for events in family_of for event in events
            if event["func"] == "dev_hard_start_xmit" and event["netns"] == left.inode]
    assert len(sent) == 3, [route(events) for events in family_of]


def the_first(trace, port):
    return next(event for event in packet_events(trace) if event.get("first") and port in ports(event))


def vlan(network, trace):
    events = the_journey(trace, to_port(PORT["vlan"]))
    left, router = network.left, network.router
    steps = follows(events, ("__ip_local_out", left, None), ("__dev_queue_xmit", left, "vlan5"),
                    ("dev_hard_start_xmit", left, "vlan5"), ("__dev_queue_xmit", left, "veth0"),
                    ("dev_hard_start_xmit", left, "veth0"), ("ip_local_deliver", router, "vlan5"),
                    ("__udp_enqueue_schedule_skb", router, "vlan5"))
    assert [event.get("vlan") for event in steps] == [None, None, None, 5, 5, None, None], [
        (event["func"], event.get("vlan")) for event in events]
    tuples(events, saddr="10.5.0.1", daddr="10.5.0.2", dport=PORT["vlan"], l4="udp")


def vxlan(network, trace):
    left, router = network.left, network.router
    events = next(events for events in packets_of(trace).values() if to_port(PORT["vxlan"])(events[0]))
    steps = follows(events, ("__ip_local_out", left, None), ("__dev_queue_xmit", left, "vx0"),
                    ("dev_hard_start_xmit", left, "vx0"), ("__ip_local_out", left, "vx0"),
                    ("dev_hard_start_xmit", left, "veth0"), (RECEIVED, router, "west"), ("ip_local_deliver", router, "west"),
                    ("ip_local_deliver", router, "vx0"), ("__udp_enqueue_schedule_skb", router, "vx0"))
    for event, port in zip(steps, [PORT["vxlan"]] * 3 + [4789] * 4 + [PORT["vxlan"]] * 2):
        assert event["tuple"]["dport"] == port, (event["func"], event["tuple"])
    assert steps[5]["len"] == steps[0]["len"] + 14 + 8 + 8 + 20


def loopback(network, trace):
    events = the_journey(trace, to_port(PORT["loopback"]))
    follows(events, *sent4(network.left, "lo"), (RECEIVED, network.left, "lo"),
            ("__udp_enqueue_schedule_skb", network.left, "lo"))
    assert {event["netns"] for event in events} - {None} == {network.left.inode}


def forwarded(network, trace, family):
    left, router, right = network.left, network.router, network.right
    v4, port = family == V4, PORT["forwarded4" if family == V4 else "forwarded6"]
    forward = "ip_forward" if v4 else "ip6_forward"
    events = the_journey(trace, to_port(port))
    follows(events, *(sent4 if v4 else sent6)(left, "veth0"), (RECEIVED, router, "west"), (forward, router, "west"),
            ("__dev_queue_xmit", router, "east"), ("dev_hard_start_xmit", router, "east"), (RECEIVED, right, "veth0"),
            ("__udp_enqueue_schedule_skb", right, "veth0"))


def bridged(network, trace, with_modules):
    events = the_journey(trace, to_port(PORT["bridged"]))
    inside = [("br_handle_frame", network.bridge, "port1")] if with_modules else []
    follows(events, *sent4(network.one, "veth0"), *inside, ("__dev_queue_xmit", network.bridge, "port2"),
            ("dev_hard_start_xmit", network.bridge, "port2"), (RECEIVED, network.two, "veth0"),
            ("__udp_enqueue_schedule_skb", network.two, "veth0"))


def translated(network, trace):
    left, router, right = network.left, network.router, network.right
    events = the_journey(trace, to_port(PORT["published"]))
    steps = follows(events, *sent4(left, "veth0"), (RECEIVED, router, "west"), ("ip_forward", router, "west"),
                    ("__dev_queue_xmit", router, "east"), (RECEIVED, right, "veth0"),
                    ("__udp_enqueue_schedule_skb", right, "veth0"))
    seen = [(event["tuple"]["saddr"], event["tuple"]["daddr"], event["tuple"]["dport"]) for event in steps]
    published, behind = ("10.1.0.2", PORT["published"]), ("10.2.0.2", PORT["behind"])
    assert seen == [("10.1.0.1", *published)] * 4 + [("10.1.0.1", *behind)] + [("10.2.0.1", *behind)] * 3, seen


def sctp(network, trace, sport):
    left, router, port = network.left, network.router, PORT["sctp"]
    packets = journeys(trace, lambda event: {sport, port} <= ports(event))
    for events in packets:
        tuples([event for event in events if event["tuple"]], l4="sctp", tcp_flags=None)
        if events[0]["tuple"]["dport"] == port:
            follows(events, *sent4(left, "veth0"), (RECEIVED, router, "west"), ("ip_local_deliver", router, "west"))
        else:
            follows(events, *sent4(router, "west"), (RECEIVED, left, "veth0"), ("ip_local_deliver", left, "veth0"))
    sent = [events for events in packets if events[0]["tuple"]["dport"] == port]
    # INIT, COOKIE ECHO, DATA at least; and what answers them.
    assert len(sent) >= 3 and len(packets) - len(sent) >= 3, [route(events) for events in packets]
    assert any(event["len"] > 1000 for events in sent for event in events), [events[0]["len"] for events in sent]


def valid(trace):
    if not importlib.util.find_spec("jsonschema"):
        raise lab.Skip("python3-jsonschema")
    import jsonschema
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))
    seen = {}
    for event in trace.events:
        seen.setdefault((event["type"], event.get("func"), event.get("proto")), event)
    assert len(seen) > 20
    for event in seen.values():
        problem = next(validator.iter_errors(event), None)
        assert problem is None, f"{problem}\n{event}"


def traffic_of_paths(network):
    left, router, right = network.left, network.router, network.right
    sport = {}
    for target in ("10.1.0.2", "fd00:1::2"):
        left.run("ping", "-c1", "-W10", target)
    for family, suffix, address, far in ((V4, "4", "10.1.0.2", "10.2.0.2"), (V6, "6", "fd00:1::2", "fd00:2::2")):
        sport[f"udp{suffix}"] = datagram(left, router, address, PORT[f"udp{suffix}"], family)
        sport[f"tcp{suffix}"] = connection(left, router, address, PORT[f"tcp{suffix}"], family)
        datagram(left, router, address, PORT[f"fragments{suffix}"], family, 4000)
        datagram(left, right, far, PORT[f"forwarded{suffix}"], family)
    datagram(left, router, "10.5.0.2", PORT["vlan"])
    datagram(left, router, "10.6.0.2", PORT["vxlan"])
    datagram(left, left, "127.0.0.1", PORT["loopback"])
    datagram(network.one, network.two, "10.7.0.2", PORT["bridged"])
    if not network.lacks_nat:
        datagram(left, right, "10.1.0.2", PORT["published"], bound=("10.2.0.2", PORT["behind"]))
    if network.has_sctp:
        sport["sctp"] = connection(left, router, "10.1.0.2", PORT["sctp"], size=1000, protocol=socket.IPPROTO_SCTP,
                                   source="10.1.0.1")
    for name, settings in (("whole", {"tso": "on", "gso": "on"}), ("segmented", {"tso": "off", "gso": "on"}),
                           ("without-gso", {"tso": "off", "gso": "off"})):
        offloads(left, "veth0", **settings)
        connection(left, router, "10.1.0.2", PORT[name])
    offloads(left, "veth0", tso="on", gso="on")
    return sport


def paths(network):
    with Traces(**PROBES) as traces:
        sport = traffic_of_paths(network)
    if "all" not in PROBES:
        lab.skip("all: the same paths with every function", "a backend that attaches them at once")
    for label, trace in traces.by_label.items():
        print(f"# {label}: {len(trace.events)} events, {trace.totals}, {trace.attach_seconds:.1f} s", flush=True)
        lab.check(f"{label}: nothing is lost", trace.totals.lost == 0, trace.stderr)
        for family, suffix, target in ((V4, 4, "10.1.0.2"), (V6, 6, "fd00:1::2")):
            with lab.test(f"{label}: an echo and its reply, IPv{suffix}"):
                echo(network, trace, target, family)
            with lab.test(f"{label}: a datagram, IPv{suffix}"):
                udp(network, trace, family, sport[f"udp{suffix}"])
            with lab.test(f"{label}: a TCP connection, IPv{suffix}"):
                tcp(network, trace, family, sport[f"tcp{suffix}"])
            with lab.test(f"{label}: fragments of a datagram, IPv{suffix}"):
                fragments(network, trace, family)
            with lab.test(f"{label}: through a router, IPv{suffix}"):
                forwarded(network, trace, family)
        for name in ("whole", "segmented", "without-gso"):
            with lab.test(f"{label}: a large write, {name}"):
                offloaded(network, trace, name)
        for case in (vlan, vxlan, loopback):
            with lab.test(f"{label}: {case.__name__}"):
                case(network, trace)
        with lab.test(f"{label}: through address translation"):
            if network.lacks_nat:
                raise lab.Skip(f"nf_tables with NAT ({network.lacks_nat.splitlines()[0]})")
            translated(network, trace)
        with lab.test(f"{label}: an SCTP association"):
            if not network.has_sctp:
                raise lab.Skip("module sctp")
            sctp(network, trace, sport["sctp"])
        with lab.test(f"{label}: over a bridge"):
            bridged(network, trace, label == "all" and pathlib.Path("/sys/kernel/btf/bridge").exists())
    with lab.test("the events follow the schema"):
        valid(traces["path"])


# ---- filters

def met(trace):
    """The events at which the filter matched."""
    return [event for event in packet_events(trace) if event.get("first")]


def only_ports(*names):
    """Packets of these ports are met, all of them, and no other."""
    def check(trace, _network):
        seen = {port for event in met(trace) for port in ports(event)} & set(PORT.values())
        assert seen == {PORT[name] for name in names}, seen
        # Neighbours that are asked for once more, as they are when a machine is slow, have none.
        others = [event for event in met(trace) if event["proto"] != ARP]
        assert all(ports(event) & seen for event in others), others
    return check


def filter_ifname(trace, network):
    assert {(event["netns"], event["ifname"]) for event in met(trace)} == {(network.left.inode, "vlan5")}
    assert network.router.inode in {event["netns"] for event in packet_events(trace)}, "followed into other namespaces"
    only_ports("vlan")(trace, network)


def filter_syn(trace, network):
    flags = {event["tuple"]["tcp_flags"] for event in packet_events(trace) if event["tuple"]}
    assert flags == {"SYN", "SYN|ACK"}, flags
    assert {event["tuple"]["l4"] for event in packet_events(trace)} == {"tcp"}
    only_ports("tcp4")(trace, network)


def filter_arp(trace, network):
    assert {event["proto"] for event in packet_events(trace)} == {ARP}
    follows_one = [events for events in packets_of(trace).values() if any(event["func"] == "arp_rcv" for event in events)]
    assert len(follows_one) >= 2, trace.functions()
    assert {events[0]["func"] for events in follows_one} <= {"arp_xmit", "__dev_queue_xmit"}
    assert {event["netns"] for event in packet_events(trace)} >= {network.left.inode, network.router.inode}


def filter_ip6(trace, network):
    assert {event["proto"] for event in packet_events(trace)} == {0x86dd}
    seen = {port for event in met(trace) for port in ports(event)} & set(PORT.values())
    assert seen == {PORT["udp6"], PORT["fragments6"], PORT["tcp6"]}, seen


def filter_fragments(trace, _network):
    assert met(trace)
    assert all(event["tuple"].get("fragment") for event in met(trace)), met(trace)
    assert {event["proto"] for event in met(trace)} == {0x800}
    assert all(event["tuple"]["sport"] is None for event in met(trace)), "later fragments have no ports"
    assert len(met(trace)) == 2, met(trace)


def filter_vlan(trace, network):
    assert met(trace)
    assert all(event["vlan"] == 5 for event in met(trace)), met(trace)
    only_ports("vlan")(trace, network)


def filter_outer(trace, network):
    assert all(event["tuple"] for event in met(trace)), [event for event in met(trace) if not event["tuple"]]
    assert {event["tuple"]["dport"] for event in met(trace)} == {4789}
    assert any(event["func"] == "ip_local_deliver" and PORT["vxlan"] in ports(event) and event["netns"] == network.router.inode
               for event in packet_events(trace)), "followed into the tunnel's inside"


def filter_mark(trace, network):
    assert {event["mark"] for event in met(trace)} == {0x103}
    only_ports("marked")(trace, network)


def filter_inner(trace, network):
    events = the_journey(trace, to_port(PORT["vxlan"]))
    assert 4789 in {port for event in events for port in ports(event)}, route(events)
    only_ports("vxlan")(trace, network)


def filter_functions(trace, _network):
    assert sorted(trace.functions()) == ["ip_output", "ip_rcv", "udp_rcv"], trace.functions()


def filters_of(network):
    left = network.left
    return {
        "mark": (("--filter-mark", "0x3/0xff", "udp"), filter_mark),
        "netns and ifname": (("--filter-netns", left.path, "--filter-ifname", "vlan5", "ip"), filter_ifname),
        "host, port and tcp[13] & 2 != 0": (
            (f"host 10.1.0.2 and tcp port {PORT['tcp4']} and tcp[13] & 2 != 0",), filter_syn),
        "arp": (("arp",), filter_arp),
        "ip6": (("ip6 and (udp or tcp)",), filter_ip6),
        "later fragments": (("ip[6:2] & 0x1fff != 0",), filter_fragments),
        "vlan 5": (("vlan 5",), filter_vlan),
        "the outside of a tunnel": (("udp port 4789",), filter_outer),
        "the inside of a tunnel": ((f"udp port {PORT['vxlan']}",), filter_inner),
        "functions": (("--probes", "all", "--filter-func", "ip_rcv|udp_rcv|ip_output", f"udp port {PORT['udp4']}"),
                      filter_functions),
    }


def traffic_of_filters(network):
    left, router, right = network.left, network.router, network.right
    for netns, address in ((left, "10.1.0.2"), (router, "10.1.0.1")):
        netns.ip("neigh", "flush", "to", address)
    left.run("ping", "-c1", "-W10", "10.1.0.2")
    datagram(left, router, "10.1.0.2", PORT["udp4"])
    datagram(left, router, "fd00:1::2", PORT["udp6"], V6)
    datagram(left, right, "10.2.0.2", PORT["marked"], mark=0x103)
    datagram(left, right, "10.2.0.2", PORT["unmarked"], mark=7)
    datagram(left, left, "127.0.0.1", PORT["loopback"])
    datagram(left, router, "10.5.0.2", PORT["vlan"])
    datagram(left, router, "10.6.0.2", PORT["vxlan"])
    datagram(left, router, "10.1.0.2", PORT["fragments4"], size=4000)
    datagram(left, router, "fd00:1::2", PORT["fragments6"], V6, 4000)
    connection(left, router, "10.1.0.2", PORT["tcp4"], size=1000)
    connection(left, router, "fd00:1::2", PORT["tcp6"], V6, size=1000)


def filters(network):
    cases = filters_of(network)
    with Traces(**{name: arguments if "--probes" in arguments else (*PATH, *arguments)
                   for name, (arguments, _) in cases.items()}) as traces:
        traffic_of_filters(network)
    for name, (_, check) in cases.items():
        with lab.test(f"filter: {name}"):
            check(traces[name], network)


# ---- options

QUEUE_CALLERS = r"(ip_finish_output2|ip6_finish_output2|neigh_|dev_queue_xmit|arp_xmit|__neigh)"


def callers(trace):
    queued = [event for event in packet_events(trace) if event["func"] == "__dev_queue_xmit"]
    assert queued and all(re.match(QUEUE_CALLERS, event["caller"]) for event in queued), [e["caller"] for e in queued]
    out = [event for event in packet_events(trace) if event["func"] == "__ip_local_out"]
    assert out and all(re.match(r"ip_(local_out|send_skb|push_pending)", event["caller"]) for event in out), [
        event["caller"] for event in out]


def stacks(trace):
    queued = [event for event in packet_events(trace) if event["func"] == "__dev_queue_xmit"]
    assert queued
    for event in packet_events(trace):
        assert event["stack"] and event["stack"][0].split("+")[0] == event["func"], event
    for event in queued:
        assert re.match(QUEUE_CALLERS, event["stack"][1]), event["stack"]
        assert any("do_syscall_64" in frame for frame in event["stack"]), event["stack"]


def backends(network):
    """The same traffic through each backend that this kernel has, at the same time."""
    port = PORT["udp4"]
    wanted = {}
    for backend in BACKENDS:
        wanted[backend] = (*PATH, "--backend", backend, "--output-caller", "--output-stack", f"udp port {port}")
    wanted["caller only"] = (*PATH, "--output-caller", "--summary", f"udp port {port}")
    with Traces(**wanted) as traces:
        datagram(network.left, network.router, "10.1.0.2", port)
    with lab.test("--output-caller alone"):
        callers(traces["caller only"])
        assert all(event["stack"] is None for event in packet_events(traces["caller only"]))
    with lab.test("--summary tells the path"):
        told = traces["caller only"].stderr
        assert re.search(r"^1 packet delivered to a socket", told, re.MULTILINE), told
    reference = traces["caller only"].functions()
    for backend in BACKENDS:
        trace = traces[backend]
        with lab.test(f"--backend {backend}: is used, and sees what the best one sees"):
            assert backend in trace.totals.backend, trace.totals.backend
            assert trace.functions() == reference and len(reference) > 6, (trace.functions(), reference)
            assert trace.totals.packets == 1
        with lab.test(f"--output-caller with {backend}"):
            callers(trace)
        with lab.test(f"--output-stack with {backend}"):
            stacks(trace)
    for missing in {"fentry.multi", "kprobe.multi", "kprobe"} - set(BACKENDS):
        with lab.test(f"--backend {missing}: is refused with status 3"):
            done = lab.run("skbtrail", "trace", "--backend", missing, "--duration", "1s", check=False)
            assert done.returncode == 3 and missing in done.stderr, (done.returncode, done.stderr)


def main():
    for module in ("8021q", "vxlan", "bridge", "nft_nat", "nft_chain_nat", "nft_masq"):
        lab.load_module(module)
    network = Network()
    network.has_sctp = lab.load_module("sctp")
    began = time.monotonic()
    for part in (paths, filters, backends):
        try:
            part(network)
        except (RuntimeError, OSError, AssertionError, subprocess.SubprocessError) as error:
            lab.not_ok(f"{part.__name__} runs", error)
        print(f"# {part.__name__}: {time.monotonic() - began:.1f} s", flush=True)
    network.delete()
    lab.finish()


main()
