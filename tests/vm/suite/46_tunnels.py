#!/usr/bin/env python3
"""Real tunnels of the kernel, over IPv4 and IPv6: their kind, id and inner addresses with --output-tunnel, and packets
chosen by what is inside of them with --filter-tunnel-pcap-l2 and -l3."""

import collections
import concurrent.futures
import contextlib
import os
import socket

import suite_lib as lab

PORT = 7401


# Devices whose outer packets are IPv6, which begin with an option that says how often they may be packed again.
OVER_IP6 = {"ip6tnl", "ip6gre"}
IN_IP6 = "ip6[6] = 60"
# By type and kind; the others' way to the packet inside is one of these.
CHOSEN = {("vxlan", "vxlan"), ("geneve", "geneve"), ("gre", "gretap"), ("gre", "ip6gre"), ("ipip", "ipip"),
          ("ip6ip6", "ip6tnl")}
# Half of the time of this suite; two of the lab's kernels stand for all four.
CHOSEN_HERE = os.environ.get("SKBTRAIL_LAB_KERNEL") not in ("5.10", "6.12") or os.environ.get("SKBTRAIL_SUITES") == "all"


def tunnel_up(pair, number, kind, options, family):
    """A tunnel device between both ends of `pair`; the inner addresses, left first."""
    is_ip6 = family == socket.AF_INET6
    inner = [f"fd00:{60 + number}::{host}" if is_ip6 else f"10.{60 + number}.0.{host}" for host in (1, 2)]
    for end, other, address in ((pair.left, pair.right, inner[0]), (pair.right, pair.left, inner[1])):
        local, remote = (end.v6, other.v6) if kind in OVER_IP6 else (end.v4, other.v4)
        ends = ["remote", remote] if kind == "geneve" else ["local", local, "remote", remote]
        end.netns.ip("link", "add", f"t{number}", "type", kind, *ends,
                     *(str(word) for option in options.items() for word in option))
        end.netns.ip("addr", "add", f"{address}/64" if is_ip6 else f"{address}/24", "dev", f"t{number}",
                     *(["nodad"] if is_ip6 else []))
        end.netns.ip("link", "set", f"t{number}", "up")
    return inner


CASES = (
    # type in JSON, module, kind of device, options, inner family, id, filter
    ("vxlan", "vxlan", "vxlan", {"id": 9, "dstport": 4789}, socket.AF_INET, 9, "udp port 4789"),
    ("geneve", "geneve", "geneve", {"id": 7}, socket.AF_INET, 7, "udp port 6081"),
    ("gre", "ip_gre", "gre", {"key": 42}, socket.AF_INET, 42, "ip proto 47"),
    ("gre", "ip_gre", "gretap", {}, socket.AF_INET6, None, "ip proto 47"),
    ("gre", "ip6_gre", "ip6gre", {}, socket.AF_INET, None, IN_IP6),
    ("ipip", "ipip", "ipip", {}, socket.AF_INET, None, "ip proto 4"),
    ("sit", "sit", "sit", {}, socket.AF_INET6, None, "ip proto 41"),
    ("ip6ip6", "ip6_tunnel", "ip6tnl", {"mode": "ip6ip6"}, socket.AF_INET6, None, IN_IP6),
    ("ip4ip6", "ip6_tunnel", "ip6tnl", {"mode": "ipip6"}, socket.AF_INET, None, IN_IP6),
)


def check_case(number, wanted, module, kind, options, family, wanted_id, expression):
    if not lab.load_module(module):
        raise lab.Skip(f"module {module}")
    with lab.NetnsPair(number + 1) as pair:
        inner = tunnel_up(pair, number, kind, options, family)
        pair.left.run("ping", "-c", "1", "-W", "5", inner[1])
        with lab.Trace("--output-tunnel", "--probes", "path", expression) as trace:
            with lab.socket_in(pair.left.netns, family) as udp:
                udp.sendto(b"x" * 50, (inner[1], PORT))
            trace.wait_for(lambda event: event.get("tunnel"))
            lab.wait_until(lambda: False, 0.3)
        inside = [event["tunnel"] for event in trace.events
                  if event.get("tunnel") and (event["tunnel"]["tuple"] or {}).get("dport") == PORT]
        assert inside, (trace.stderr, [event.get("tunnel") for event in trace.events][:5])
        for tunnel in inside:
            assert (tunnel["type"], tunnel["id"]) == (wanted, wanted_id), tunnel
            assert (tunnel["tuple"]["saddr"], tunnel["tuple"]["daddr"]) == tuple(inner), tunnel
        assert len(inside) >= 3, inside
        yield "seen"
        check_filters(pair, family, inner, expression)
        yield "chosen"


def inner_ports(pair, family, address, expression, *filters):
    """For each set of flags, traced at once: how often each port was seen inside of the tunnel, when one datagram went
    to PORT + 1 and one to PORT."""
    traces = [lab.Trace("--output-tunnel", "--probes", "path", *flags, expression) for flags in filters]
    with contextlib.ExitStack() as running:
        with concurrent.futures.ThreadPoolExecutor() as pool:
            list(pool.map(running.enter_context, traces))
        with lab.socket_in(pair.left.netns, family) as udp:
            udp.sendto(b"x" * 50, (address, PORT + 1))
            udp.sendto(b"x" * 50, (address, PORT))
        traces[0].wait_for(lambda event: event.get("tunnel"), 5)
        lab.wait_until(lambda: False, 0.5)
    found = []
    for trace in traces:
        assert trace.status == 0, trace.stderr
        found.append(collections.Counter((event["tunnel"]["tuple"] or {}).get("dport") for event in trace.events
                                         if event.get("tunnel")))
    return found


def check_filters(pair, family, inner, expression):
    wanted = f"udp port {PORT} and {'ip6' if family == socket.AF_INET6 else 'ip'} dst host {inner[1]}"
    l2, l3 = "--filter-tunnel-pcap-l2", "--filter-tunnel-pcap-l3"
    found = inner_ports(pair, family, inner[1], expression, [l2, wanted], [l3, wanted],
                        [l2, f"udp port {PORT}", l3, f"udp port {PORT + 1}"])
    for number, ports in enumerate(found):
        assert (set(ports) == {PORT} and ports[PORT] >= 3) if number < 2 else not ports, found


def check_link_layer():
    """The inner frame of VXLAN has addresses and tags of its own."""
    if not lab.load_module("vxlan"):
        raise lab.Skip("module vxlan")
    with lab.NetnsPair(40) as pair:
        inner = tunnel_up(pair, 40, "vxlan", {"id": 9, "dstport": 4789}, socket.AF_INET)
        pair.left.run("ping", "-c", "1", "-W", "5", inner[1])
        mac = pair.left.run("cat", "/sys/class/net/t40/address").stdout.strip()
        found = inner_ports(pair, socket.AF_INET, inner[1], "udp port 4789",
                            ["--filter-tunnel-pcap-l2", f"ether src {mac} and udp"],
                            ["--filter-tunnel-pcap-l2", "ether src 02:00:00:00:00:77"])
        assert set(found[0]) == {PORT, PORT + 1} and not found[1], found


def check_others():
    """What no tunnel carries is not judged, as pwru has it."""
    with lab.NetnsPair(41) as pair, lab.Trace("--filter-tunnel-pcap-l2", "tcp", "--filter-tunnel-pcap-l3", "tcp",
                                              "--probes", "path", f"udp port {PORT}") as trace:
        with lab.socket_in(pair.left.netns, socket.AF_INET) as udp:
            udp.sendto(b"x" * 50, (pair.right.v4, PORT))
        assert trace.wait_for(lambda event: event.get("func") == "ip_rcv"), trace.stderr


def check_refused():
    for flag, expression, words in (("--filter-tunnel-pcap-l3", "ether host 02:00:00:00:00:77", "--filter-tunnel-pcap-l2"),
                                    ("--filter-tunnel-pcap-l2", "tcp prot 80", "syntax error"),
                                    ("--filter-tunnel-pcap-l3", "tcp prot 80", "syntax error")):
        done = lab.run("skbtrail", "trace", flag, expression, check=False)
        assert done.returncode == 2 and flag in done.stderr and words in done.stderr, done
        assert len(done.stderr.splitlines()) == 1, done.stderr


for number, case in enumerate(CASES):
    steps = check_case(number, *case)
    with lab.test(f"{case[2]}: {case[0]} with what is in it"):
        next(steps)
    if CHOSEN_HERE and (case[0], case[2]) in CHOSEN:
        with lab.test(f"{case[2]}: packets chosen by what is in them"):
            if not next(steps, None):
                raise lab.Skip("that tunnel")
    steps.close()
if not CHOSEN_HERE:
    lab.skip("packets chosen by what is in tunnels of each kind", "a need to run here: Linux 6.1 and latest run it")
with lab.test("the link layer inside of a tunnel can be asked for"):
    check_link_layer()
with lab.test("packets that no tunnel carries are not judged by what one would carry"):
    check_others()
with lab.test("expressions that cannot be meant are refused in one line with the flag"):
    check_refused()
lab.finish()
