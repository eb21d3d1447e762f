"""Drops whose cause is known: a small network and the traffic that loses packets in it, each for one reason.

    network = Network()
    traffic = Traffic(network)      # every cause once, in both families
"""

import collections
import contextlib
import dataclasses
import os
import re
import socket
import struct
import time

import suite_lib as lab

KFREE_SKB = "/sys/kernel/tracing/events/skb/kfree_skb"
V4, V6 = socket.AF_INET, socket.AF_INET6
NO_ROUTE = {V4: "203.0.113.9", V6: "2001:db8:99::9"}
SLOW = {V4: "10.3.0.2", V6: "fd00:3::2"}
SPOOFED = "10.77.0.1"      # the client's own; nobody has a route back to it


# ---- what the kernel says

def reason_names():
    """{number: name} of this kernel's drop reasons; empty before 5.17, and where tracefs cannot be read."""
    form = lab.run("cat", f"{KFREE_SKB}/format", check=False).stdout
    symbols = form.partition("__print_symbolic(REC->reason")[2]
    return {int(number, 0): name for number, name in re.findall(r'\{ *(0x[0-9a-f]+|\d+), *"(\w+)" *\}', symbols)}


class KernelDrops:
    """The kernel's own count of kfree_skb() calls while the block runs: {(function+offset, skb, reason): times}."""

    _LINE = re.compile(r"location: *\[[0-9a-f]+\] ([^ ,/}]+)[^,}]*, *skbaddr: *([0-9a-f]+)(?:, *reason: *(\d+))? *\} *"
                       r"hitcount: *(\d+)")

    def __init__(self):
        self._trigger = "hist:keys=location.sym-offset,skbaddr.hex" + (",reason" if REASONS else "") + ":size=8192"
        self.seen = collections.Counter()

    def _write(self, text):
        with open(f"{KFREE_SKB}/trigger", "w", encoding="ascii") as trigger:
            trigger.write(text)

    def __enter__(self):
        if HAS_HISTOGRAMS:
            self._write(self._trigger)
        return self

    def __exit__(self, *_):
        if not HAS_HISTOGRAMS:
            return
        with open(f"{KFREE_SKB}/hist", encoding="ascii") as hist:
            content = hist.read()
        self._write("!" + self._trigger)
        for place, skb, reason, times in self._LINE.findall(content):
            self.seen[place, int(skb, 16), REASONS.get(int(reason)) if reason else None] += int(times)
        if not self.seen:
            raise RuntimeError(f"no histogram of {KFREE_SKB}:\n{content}")


REASONS = reason_names()
HAS_HISTOGRAMS = os.path.exists(f"{KFREE_SKB}/hist")
HAS_IPTABLES = lab.load_module("iptable_filter") and lab.load_module("ip6table_filter")


# ---- the places where packets are lost

class Network:
    """client -- router -- server, and a second, slow wire from the client to the server.

    `suffix` ends the names of all interfaces, for tests that must tell them from those of others.
    """

    def __init__(self, suffix=""):
        self.suffix = suffix
        veth0, west, east, slow0 = map(self.device, ("veth0", "west", "east", "slow0"))
        self.client, self.router, self.server = lab.Netns(), lab.Netns(), lab.Netns()
        self.ends = [*lab.veth(self.client, self.router, (veth0, west)),
                     *lab.veth(self.router, self.server, (east, veth0), number=2),
                     *lab.veth(self.client, self.server, (slow0, slow0), number=3)]
        for setting in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
            self.router.sysctl(f"net/{setting}", 1)
        for setting in ("all", west):
            self.router.sysctl(f"net/ipv4/conf/{setting}/rp_filter", 1)
        for netns, mine in ((self.client, 1), (self.server, 2)):
            router = {1: ("10.1.0.2", "fd00:1::2"), 2: ("10.2.0.1", "fd00:2::1")}[mine]
            netns.ip("route", "add", "default", "via", router[0])
            netns.ip("-6", "route", "add", "default", "via", router[1])
            # An answer to every cause, as fast as they come: the rate limit of ICMP must not decide a test.
            netns.sysctl("net/ipv4/icmp_ratelimit", 0)
        self.client.ip("addr", "add", f"{SPOOFED}/32", "dev", "lo")
        # The router knows the sender's addresses by its wire only.
        self._rules()
        self.client.run("tc", "qdisc", "add", "dev", slow0, "root", "tbf", "rate", "8kbit", "burst", "1600",
                        "limit", "1000")
        for address in ("10.2.0.2", "fd00:2::2"):
            self.client.run("ping", "-c1", "-W5", address)
        self._receivers = []
        for family, address in SLOW.items():
            self.client.ip("neigh", "replace", address, "lladdr", self.mac(self.server, slow0), "dev", slow0,
                           "nud", "permanent")
            # What comes through late must find a socket, also after its trace.
            self._receivers.append(lab.socket_in(self.server, family))
            self._receivers[-1].bind((address, PORT[family]["qdisc"]))

    def _rules(self):
        for netns, hook, cause in ((self.server, "input", "nft-in"), (self.client, "output", "nft-out")):
            netns.run("nft", "add", "table", "inet", "lab")
            netns.run("nft", "add", "chain", "inet", "lab", hook, f"{{ type filter hook {hook} priority 0; }}")
            ports = ", ".join(str(PORT[family][cause]) for family in (V4, V6))
            netns.run("nft", "add", "rule", "inet", "lab", hook, "udp", "dport", f"{{ {ports} }}", "drop")
        if HAS_IPTABLES:
            for family, program in ((V4, "iptables-legacy"), (V6, "ip6tables-legacy")):
                self.server.run(program, "-A", "INPUT", "-p", "udp", "--dport", PORT[family]["iptables"], "-j", "DROP")

    def overlimit(self):
        """How many packets the slow wire's queue has refused."""
        shown = self.client.run("tc", "-s", "qdisc", "show", "dev", self.device("slow0")).stdout
        return int(re.search(r"dropped (\d+)", shown)[1])

    def device(self, name):
        return name + self.suffix

    @staticmethod
    def mac(netns, device):
        return netns.run("cat", f"/sys/class/net/{device}/address").stdout.strip()

    def delete(self):
        for netns in (self.client, self.router, self.server):
            netns.delete()


@dataclasses.dataclass
class Cause:
    """One way to lose packets: where, why, and by which destination ports they are known."""

    key: str
    name: str
    reason: str                  # names, of which a kernel gives one
    places: dict                 # family: functions, of which a kernel has one
    where: str                   # namespace in which it happens
    device: str                  # None: no device yet
    lacked: str = None


NFT = ["nft_do_chain", "nf_hook_slow"]      # the first from 6.7 on
# 6.12 says where a packet was refused, the others which function then freed the list of refused packets.
QUEUE = ["__dev_queue_xmit", "kfree_skb_list_reason", "kfree_skb_list", "__tcf_kfree_skb_list"]
CAUSES = [
    Cause("nft-in", "nftables rule on input", "NETFILTER_DROP", {V4: NFT, V6: NFT}, "server", "veth0"),
    Cause("nft-out", "nftables rule on output", "NETFILTER_DROP", {V4: NFT, V6: NFT}, "client", None),
    Cause("iptables", "iptables rule", "NETFILTER_DROP", {V4: ["nf_hook_slow"], V6: ["nf_hook_slow"]},
          "server", "veth0", lacked=None if HAS_IPTABLES else "iptable_filter"),
    Cause("closed-udp", "closed UDP port", "NO_SOCKET", {V4: ["__udp4_lib_rcv", "udp_rcv"],
                                                         V6: ["__udp6_lib_rcv", "udpv6_rcv"]}, "server", "veth0"),
    Cause("closed-tcp", "closed TCP port", "NO_SOCKET", {V4: ["tcp_v4_rcv"], V6: ["tcp_v6_rcv"]}, "server", "veth0"),
    Cause("no-route", "no route", "IP_INNOROUTES", {V4: ["ip_error"], V6: ["ip6_pkt_drop", "ip6_pkt_discard"]}, "router", "west"),
    Cause("ttl", "hop limit", "IP_INHDR", {V4: ["ip_forward"], V6: ["ip6_forward"]}, "router", "west"),
    Cause("rp-filter", "reverse path filter", "IP_RPFILTER", {V4: ["ip_rcv_finish_core"]}, "router", "west"),
    Cause("tcp-csum", "wrong TCP checksum", "TCP_CSUM", {V4: ["tcp_v4_rcv"], V6: ["tcp_v6_rcv"]}, "server", "veth0"),
    Cause("qdisc", "full queue of a device", "QDISC_OVERLIMIT QDISC_DROP", {V4: QUEUE, V6: QUEUE},
          "client", "slow0"),
    Cause("rcvbuf", "full socket buffer", "SOCKET_RCVBUFF", {V4: ["udp_queue_rcv_one_skb"],
                                                             V6: ["udpv6_queue_rcv_one_skb"]}, "server", "veth0"),
]
PORT = {family: {cause.key: 20000 + 1000 * half + number for number, cause in enumerate(CAUSES)}
        for half, family in enumerate((V4, V6))}
DELIVERED = {V4: 22000, V6: 22001}
# Of many packets to one port some are lost; each comes from a port of its own.
BURST = 30
FIRST_SENDER = {"rcvbuf": {V4: 23000, V6: 23100}, "qdisc": {V4: 23200, V6: 23300}}


class Traffic:
    """Loses packets in every way, once; `kept` says which of them were not lost after all."""

    def __init__(self, network):
        self.network = network
        self.kept = {V4: set(), V6: set()}      # source ports found in the receive buffer
        self.overlimit = {}
        with contextlib.ExitStack() as stack:
            self._stack = stack
            for family in (V4, V6):
                self._lose(family)

    def _open(self, netns, family, kind=socket.SOCK_DGRAM, address=None):
        opened = self._stack.enter_context(lab.socket_in(netns, family, kind))
        if address:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            opened.bind(address)
        return opened

    def _lose(self, family):
        network, port = self.network, PORT[family]
        server = {V4: "10.2.0.2", V6: "fd00:2::2"}[family]
        sender = self._open(network.client, family)
        for key, target in (("nft-in", server), ("iptables", server), ("closed-udp", server),
                            ("no-route", NO_ROUTE[family])):
            if key != "iptables" or HAS_IPTABLES:
                sender.sendto(b"lost", (target, port[key]))
        try:
            sender.sendto(b"lost", (server, port["nft-out"]))
            lab.not_ok("the output rule refuses the sender")
        except PermissionError:
            pass
        expiring = self._open(network.client, family)
        option = (socket.IPPROTO_IP, socket.IP_TTL) if family == V4 else (socket.IPPROTO_IPV6,
                                                                          socket.IPV6_UNICAST_HOPS)
        expiring.setsockopt(*option, 1)
        expiring.sendto(b"lost", (server, port["ttl"]))
        connecting = self._open(network.client, family, socket.SOCK_STREAM)
        try:
            connecting.settimeout(10)
            connecting.connect((server, port["closed-tcp"]))
            lab.not_ok("a closed TCP port refuses")
        except ConnectionRefusedError:
            pass
        if family == V4:
            self._open(network.client, V4, address=(SPOOFED, 0)).sendto(b"lost", (server, port["rp-filter"]))
        self._bad_checksum(family, server)
        self._full_queue(family)
        self._full_buffer(family, server)
        self._deliver(family, server)

    def _bad_checksum(self, family, server):
        network, port = self.network, PORT[family]["tcp-csum"]
        self._open(network.server, family, socket.SOCK_STREAM, (server, port)).listen()
        tcp = struct.pack("!HHIIBBHHH", 4711, port, 1, 0, 5 << 4, 2, 1024, 0xbad, 0)
        client = socket.inet_pton(family, {V4: "10.1.0.1", V6: "fd00:1::1"}[family])
        addresses = client + socket.inet_pton(family, server)
        if family == V4:
            header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 1, 0, 64, socket.IPPROTO_TCP, 0)
            total = sum(struct.unpack("!10H", header + addresses))
            total = (total & 0xffff) + (total >> 16)
            header = header[:10] + struct.pack("!H", ~(total + (total >> 16)) & 0xffff)
        else:
            header = struct.pack("!IHBB", 6 << 28, len(tcp), socket.IPPROTO_TCP, 64)
        macs = [bytes.fromhex(network.mac(netns, device).replace(":", ""))
                for netns, device in ((network.router, network.device("west")),
                                      (network.client, network.device("veth0")))]
        ethertype = struct.pack("!H", {V4: 0x0800, V6: 0x86dd}[family])
        raw = self._stack.enter_context(lab.socket_in(network.client, socket.AF_PACKET, socket.SOCK_RAW))
        raw.bind((network.device("veth0"), 0))
        raw.send(b"".join(macs) + ethertype + header + addresses + tcp)

    def _burst(self, key, family, address, size):
        for number in range(BURST):
            self._open(self.network.client, family, address=("", FIRST_SENDER[key][family] + number)).sendto(
                bytes(size), (address, PORT[family][key]))

    def _full_queue(self, family):
        before = self.network.overlimit()
        self._burst("qdisc", family, SLOW[family], 100)
        self.overlimit[family] = self.network.overlimit() - before

    def _full_buffer(self, family, server):
        receiver = self._open(self.network.server, family, address=(server, PORT[family]["rcvbuf"]))
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)     # the kernel's minimum
        self._burst("rcvbuf", family, server, 400)
        time.sleep(0.2)
        receiver.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                self.kept[family].add(receiver.recvfrom(1000)[1][1])

    def _deliver(self, family, server):
        """What must not be called a drop: a datagram that is read, a whole TCP connection, an echo."""
        receiver = self._open(self.network.server, family, address=(server, DELIVERED[family]))
        self._open(self.network.client, family).sendto(b"read", (server, DELIVERED[family]))
        receiver.settimeout(10)
        receiver.recv(100)
        listener = self._open(self.network.server, family, socket.SOCK_STREAM, (server, DELIVERED[family]))
        listener.listen()
        with lab.socket_in(self.network.client, family, socket.SOCK_STREAM) as client:
            client.settimeout(10)
            client.connect((server, DELIVERED[family]))
            accepted = listener.accept()[0]
            with accepted:
                client.sendall(bytes(3000))
                accepted.settimeout(10)
                accepted.recv(3000, socket.MSG_WAITALL)
                # Both ends read the other's FIN: one left in a queue is purged from there, which counts as a drop.
                client.shutdown(socket.SHUT_WR)
                accepted.recv(1)
                accepted.shutdown(socket.SHUT_WR)
                client.recv(1)
        self.network.client.run("ping", "-c1", "-W5", server)


CAUSE = {cause.key: cause for cause in CAUSES}
