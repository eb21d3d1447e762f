#!/usr/bin/env python3
"""Networks as nodes have them: bridge with netfilter, overlays between three namespaces, IPsec, address translation,
macvlan and ipvlan, a redirect by TC, Open vSwitch. One datagram through each has one identity from its sender's socket to
its receiver's, without a gap, also while the memory of packets is used again a thousand times."""

import contextlib
import os
import pathlib
import shutil
import socket
import tempfile
import time

import suite_lib as lab

FIRST_PORT, LAST_PORT = 32000, 32099
REUSE_PORTS = range(32050, 32100)
FLOOD = 20      # datagrams of others for each that is followed: 1000 in all


class Way:
    """One datagram that was sent, and where."""

    def __init__(self, name, sender, receiver, address, device=None, to=None):
        self.name, self.sender, self.receiver, self.address = name, sender, receiver, address
        self.device = device    # on which its receiver's socket gets it; None: any
        self.to = to            # where the receiver is bound when the address is translated
        self.port = None

    def send(self, port):
        self.port = port
        with lab.socket_in(self.receiver, socket.AF_INET) as there, lab.socket_in(self.sender, socket.AF_INET) as here:
            there.bind((self.to or self.address, port))
            there.settimeout(30)
            here.sendto(bytes(100), (self.address, port))
            assert len(there.recv(1000)) == 100

    def check(self, trace):
        """The socket's packet is the one that the sender built, and every event between them is its own."""
        started = [event for event in trace.events if event.get("func") == "__ip_local_out"
                   and event["netns"] == self.sender.inode and (event["tuple"] or {}).get("dport") == self.port]
        ended = [event for event in trace.events if event.get("func") == "__udp_enqueue_schedule_skb"
                 and event["netns"] == self.receiver.inode and (event["tuple"] or {}).get("dport") == self.port
                 and self.device in (None, event["ifname"])]
        assert len({event["packet"] for event in started}) == 1, (started, trace.stderr)
        assert {event["packet"] for event in ended} == {started[0]["packet"]}, (started, ended)
        events = trace.packets()[started[0]["packet"]]
        inside = [event for event in events if started[0]["seq"] <= event["seq"] <= ended[-1]["seq"]]
        others = [event for event in trace.events if event.get("packet") != started[0]["packet"]
                  and event.get("tuple") and event["tuple"]["dport"] == self.port]
        assert not others, f"events of this datagram with another identity: {others[:3]}"
        assert len(inside) >= 6, [(event["func"], event["ifname"]) for event in inside]
        assert not any(event.get("drop") for event in inside), inside
        times = [event["ts"] for event in inside]
        assert times == sorted(times), times
        print(f"    # {self.name}: " + " ".join(f"{event['func']}({event['ifname'] or '-'})" for event in inside), flush=True)


def patched(namespaces, number, middle=None):
    """Namespaces in one subnet, the other ends of their links in `middle` or here as port1, port2, …; their addresses."""
    inside = ["netns", middle] if middle else []
    for host, netns in enumerate(namespaces, 1):
        lab.run("ip", "link", "add", "veth0", "netns", netns, "type", "veth", "peer", "name", f"port{host}", *inside)
        netns.ip("addr", "add", f"10.{number}.0.{host}/24", "dev", "veth0")
        netns.ip("link", "set", "veth0", "up")
        lab.run("ip", "link", "set", f"port{host}", "up", netns=middle)
    return [f"10.{number}.0.{host}" for host in range(1, len(namespaces) + 1)]


def joined(bridge, *namespaces, number):
    """Namespaces on the ports of a bridge in another one; their addresses."""
    bridge.ip("link", "add", "br0", "type", "bridge", "forward_delay", 0)
    bridge.ip("link", "set", "br0", "up")
    addresses = patched(namespaces, number, bridge)
    for host in range(1, len(namespaces) + 1):
        bridge.ip("link", "set", f"port{host}", "master", "br0")
    return addresses


def reach(netns, *addresses):
    """Neighbours are known, so that the first datagram is the one that is sent."""
    for address in addresses:
        netns.run("ping", "-c2", "-i0.2", "-W10", address)


def need(*modules):
    for module in modules:
        if not lab.load_module(module):
            raise lab.Skip(f"module {module}")


def bridge_with_netfilter(stack):
    need("br_netfilter", "nf_tables")
    one, two, bridge = (stack.enter_context(lab.Netns()) for _ in range(3))
    addresses = joined(bridge, one, two, number=101)
    bridge.sysctl("net/bridge/bridge-nf-call-iptables", 1)
    bridge.run("nft", "add table ip t; add chain ip t f { type filter hook forward priority 0; policy drop; }; "
                      "add rule ip t f ct state new,established counter accept")
    reach(one, addresses[1])
    return [Way("bridge with netfilter", one, two, addresses[1])]


def tc_redirect(stack):
    need("sch_ingress", "cls_matchall", "act_mirred")
    one, two, middle = (stack.enter_context(lab.Netns()) for _ in range(3))
    addresses = patched((one, two), 141, middle)
    for here, there in (("port1", "port2"), ("port2", "port1")):
        middle.run("tc", "qdisc", "add", "dev", here, "clsact")
        middle.run("tc", "filter", "add", "dev", here, "ingress", "matchall", "action", "mirred", "egress", "redirect", "dev",
                   there)
    reach(one, addresses[1])
    return [Way("redirected by TC", one, two, addresses[1])]


def open_vswitch(stack):
    """Its datapath is the kernel's; the first packet of a flow goes by its daemon and comes back as another."""
    need("openvswitch")
    if not shutil.which("ovs-vswitchd"):
        raise lab.Skip("openvswitch-switch")
    # Before Linux 6.12 it has conntrack look at the packets of every namespace, also of suites behind this one.
    stack.callback(lab.run, "rmmod", "openvswitch", check=False)
    home = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/dev/shm")))
    database = f"unix:{home}/db.sock"
    os.environ["OVS_RUNDIR"] = str(home)
    lab.run("ovsdb-tool", "create", home / "conf.db", "/usr/share/openvswitch/vswitch.ovsschema")
    stack.enter_context(lab.background("ovsdb-server", home / "conf.db", f"--remote=p{database}"))
    assert lab.wait_until((home / "db.sock").exists, 20), "its database does not listen"
    stack.enter_context(lab.background("ovs-vswitchd", database))
    one, two = (stack.enter_context(lab.Netns()) for _ in range(2))
    addresses = patched((one, two), 142)
    # A flow that is not used is forgotten after ten seconds otherwise, and other setups are made meanwhile.
    lab.run("ovs-vsctl", f"--db={database}", "set", "Open_vSwitch", ".", "other_config:max-idle=600000", "--",
            "add-br", "ovs0", "--", "add-port", "ovs0", "port1", "--", "add-port", "ovs0", "port2", timeout=60)
    stack.callback(lab.run, "ovs-vsctl", f"--db={database}", "del-br", "ovs0", timeout=60)
    reach(one, addresses[1])
    way = Way("Open vSwitch", one, two, addresses[1])
    way.send(FIRST_PORT - 1)
    return [way]


def overlay(stack, kind, number):
    need(kind)
    nodes = [stack.enter_context(lab.Netns()) for _ in range(3)]
    outer = joined(stack.enter_context(lab.Netns()), *nodes, number=number)
    ways = []
    for left, right in ((0, 1), (0, 2), (1, 2)):
        device, subnet = f"{kind[:4]}{left}{right}", f"10.{number + 1}.{left}{right}"
        for end, other in ((left, right), (right, left)):
            ends = ["local", outer[end], "remote", outer[other], "dstport", "4789"] if kind == "vxlan" else \
                ["remote", outer[other]]
            nodes[end].ip("link", "add", device, "type", kind, "id", 10 * left + right + 1, *ends)
            nodes[end].ip("addr", "add", f"{subnet}.{end + 1}/24", "dev", device)
            nodes[end].ip("link", "set", device, "up")
        reach(nodes[left], f"{subnet}.{right + 1}")
        ways.append(Way(f"{kind} from node {left} to node {right}", nodes[left], nodes[right], f"{subnet}.{right + 1}",
                        device))
    return ways


def ipsec(stack, mode, number):
    need("esp4", "xfrm_user")
    pair = stack.enter_context(lab.NetnsPair(number))
    ends = ((pair.left, pair.right, "0x1"), (pair.right, pair.left, "0x2"))
    for here in (pair.left, pair.right):
        for source, target, spi in ends:
            done = here.netns.ip("xfrm", "state", "add", "src", source.v4, "dst", target.v4, "proto", "esp", "spi", spi,
                                 "mode", mode, "aead", "rfc4106(gcm(aes))", "0x" + "7a" * 20, "128", check=False)
            if done.returncode:
                raise lab.Skip(f"IPsec: {done.stderr.strip()}")
            here.netns.ip("xfrm", "policy", "add", "src", f"{source.v4}/32", "dst", f"{target.v4}/32", "dir",
                          "out" if here is source else "in", "tmpl", "src", source.v4, "dst", target.v4, "proto", "esp",
                          "mode", mode)
    reach(pair.left.netns, pair.right.v4)
    return [Way(f"IPsec in {mode} mode", pair.left.netns, pair.right.netns, pair.right.v4)]


def translation(stack):
    need("nf_tables")
    client, router, server = (stack.enter_context(lab.Netns()) for _ in range(3))
    near = lab.veth(client, router, ("veth0", "west"), number=121)
    far = lab.veth(router, server, ("east", "veth0"), number=122)
    router.sysctl("net/ipv4/ip_forward", 1)
    client.ip("route", "add", "default", "via", near[1].v4)
    server.ip("route", "add", "default", "via", far[0].v4)
    rules = f"""table ip nat {{
        chain pre {{ type nat hook prerouting priority -100;
            ip daddr 10.123.0.1 dnat to {far[1].v4}; }}
        chain post {{ type nat hook postrouting priority 100;
            ct original ip daddr 10.123.0.1 snat to {far[0].v4}
            oifname east masquerade; }}
    }}"""
    done = router.run("nft", "-f", "-", stdin=rules, check=False)
    if done.returncode:
        raise lab.Skip(f"translation: {done.stderr.strip()}")
    client.run("nft", "add table ip nat; add chain ip nat out { type nat hook output priority -100; }; "
                      f"add rule ip nat out ip daddr 10.123.0.2 dnat to {far[1].v4}")
    reach(client, far[1].v4)
    return [Way("source and destination translated by a router", client, server, "10.123.0.1", to=far[1].v4),
            Way("destination translated by its sender", client, server, "10.123.0.2", to=far[1].v4),
            Way("masqueraded", client, server, far[1].v4)]


def children(stack, kind, mode, number):
    """Two children of one interface, and what is at the other end of that."""
    need(kind)
    home, far, one, two = (stack.enter_context(lab.Netns()) for _ in range(4))
    ends = lab.veth(home, far, number=number)
    for host, netns in ((11, one), (12, two)):
        name = f"child{host}"
        home.ip("link", "add", "link", "veth0", "name", name, "type", kind, "mode", mode)
        home.ip("link", "set", name, "netns", netns)
        netns.ip("addr", "add", f"10.{number}.0.{host}/24", "dev", name)
        netns.ip("link", "set", name, "up")
    if mode == "l3":    # in which nobody answers to ARP
        mac = home.run("cat", "/sys/class/net/veth0/address").stdout.strip()
        far.ip("neigh", "add", f"10.{number}.0.11", "lladdr", mac, "dev", "veth0")
    reach(one, ends[1].v4, f"10.{number}.0.12")
    return [Way(f"{kind} ({mode}) to its sibling", one, two, f"10.{number}.0.12"),
            Way(f"{kind} ({mode}) to the other end of its parent", one, far, ends[1].v4)]


SETUPS = (
    ("bridge with netfilter", bridge_with_netfilter),
    ("redirect by TC", tc_redirect),
    ("Open vSwitch", open_vswitch),
    ("vxlan overlay", lambda stack: overlay(stack, "vxlan", 103)),
    ("geneve overlay", lambda stack: overlay(stack, "geneve", 105)),
    ("IPsec transport", lambda stack: ipsec(stack, "transport", 111)),
    ("IPsec tunnel", lambda stack: ipsec(stack, "tunnel", 112)),
    ("address translation", translation),
    ("macvlan", lambda stack: children(stack, "macvlan", "bridge", 131)),
    ("ipvlan l2", lambda stack: children(stack, "ipvlan", "l2", 132)),
    ("ipvlan l3", lambda stack: children(stack, "ipvlan", "l3", 133)),
)


def check_reuse(pair):
    """Memory of packets goes from hand to hand: the addresses come again, the identities do not."""
    with lab.Trace("--probes", "path", f"udp portrange {REUSE_PORTS[0]}-{REUSE_PORTS[-1]}") as trace:
        with lab.socket_in(pair.right.netns, socket.AF_INET) as there, \
                lab.socket_in(pair.left.netns, socket.AF_INET) as here:
            there.bind((pair.right.v4, 31999))
            there.setblocking(False)
            for port in REUSE_PORTS:
                here.sendto(bytes(100), (pair.right.v4, port))
                for _ in range(FLOOD):
                    here.sendto(bytes(100), (pair.right.v4, 31999))
                    with contextlib.suppress(BlockingIOError):
                        there.recv(1000)
        lab.wait_until(lambda: trace.so_far()[-1:] and trace.so_far()[-1].get("seq", 0) >= 6 * len(REUSE_PORTS), 20)
        time.sleep(0.5)
    ports = {packet: {event["tuple"]["dport"] for event in events if event["tuple"] and event["tuple"]["l4"] == "udp"}
             for packet, events in trace.packets().items()}
    assert not [found for found in ports.values() if len(found) > 1], ports
    assert all(found <= set(REUSE_PORTS) for found in ports.values()), ports
    with_port = [packet for packet, found in ports.items() if found]
    assert len(with_port) == len(REUSE_PORTS), (len(with_port), trace.stderr)
    heads = {event["packet"].split("-")[0] for event in trace.events if event.get("packet")}
    print(f"    # {len(with_port)} packets, {len(heads)} heads", flush=True)


with contextlib.ExitStack() as networks:
    ways = []
    for name, make in SETUPS:
        try:
            ways += make(networks)
        except lab.Skip as reason:
            lab.skip(name, reason)
    with lab.Trace("--probes", "path", f"udp portrange {FIRST_PORT}-{LAST_PORT}") as path:
        for number, way in enumerate(ways):
            way.send(FIRST_PORT + number)
        time.sleep(1)
    for way in ways:
        with lab.test(f"{way.name}: one identity from socket to socket"):
            way.check(path)
with lab.NetnsPair() as pair_of_two:
    with lab.test("the memory of a packet is used again a thousand times, its identity never"):
        reach(pair_of_two.left.netns, pair_of_two.right.v4)
        check_reuse(pair_of_two)
lab.finish()
