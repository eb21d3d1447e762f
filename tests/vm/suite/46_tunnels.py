#!/usr/bin/env python3
"""--output-tunnel: kind, id and inner addresses of real tunnels, over IPv4 and IPv6; and what --filter-tunnel-pcap-l2 and
-l3 judge at all. How they choose in tunnels of each kind is in 46_tunnel_filters."""

import socket

import suite_lib as lab
from tunnel_lab import CASES, PORT, inner_ports, tunnel


def check_case(number, wanted, module, kind, options, family, wanted_id, expression):
    with tunnel(number, module, kind, options, family) as (pair, inner):
        with lab.Trace("--output-tunnel", "--probes", "path", expression) as trace:
            with lab.socket_in(pair.left.netns, family) as udp:
                udp.sendto(b"x" * 50, (inner[1], PORT))
            trace.wait_for(lambda event: event.get("tunnel"))
            lab.wait_until(lambda: False, 0.3)
        inside = [event["tunnel"] for event in trace.events
                  if event.get("tunnel") and (event["tunnel"]["tuple"] or {}).get("dport") == PORT]
        assert inside, (trace.stderr, [event.get("tunnel") for event in trace.events][:5])
        for told in inside:
            assert (told["type"], told["id"]) == (wanted, wanted_id), told
            assert (told["tuple"]["saddr"], told["tuple"]["daddr"]) == tuple(inner), told
        assert len(inside) >= 3, inside


def check_link_layer():
    """The inner frame of VXLAN has addresses and tags of its own."""
    with tunnel(40, "vxlan", "vxlan", {"id": 9, "dstport": 4789}, socket.AF_INET) as (pair, inner):
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
        assert trace.wait_for(lambda event: event.get("func") == "ip_local_deliver"), trace.stderr


def check_refused():
    for flag, expression, words in (("--filter-tunnel-pcap-l3", "ether host 02:00:00:00:00:77", "--filter-tunnel-pcap-l2"),
                                    ("--filter-tunnel-pcap-l2", "tcp prot 80", "syntax error"),
                                    ("--filter-tunnel-pcap-l3", "tcp prot 80", "syntax error")):
        done = lab.run("skbtrail", "trace", flag, expression, check=False)
        assert done.returncode == 2 and flag in done.stderr and words in done.stderr, done
        assert len(done.stderr.splitlines()) == 1, done.stderr


for number, case in enumerate(CASES):
    with lab.test(f"{case[2]}: {case[0]} with what is in it"):
        check_case(number, *case)
with lab.test("the link layer inside of a tunnel can be asked for"):
    check_link_layer()
with lab.test("packets that no tunnel carries are not judged by what one would carry"):
    check_others()
with lab.test("expressions that cannot be meant are refused in one line with the flag"):
    check_refused()
lab.finish()
