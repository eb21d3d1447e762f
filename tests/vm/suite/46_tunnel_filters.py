#!/usr/bin/env python3
"""--filter-tunnel-pcap-l2 and -l3 in real tunnels: packets chosen by what is inside of them."""

import socket

import suite_lib as lab
from tunnel_lab import CASES, PORT, inner_ports, tunnel

# By type and kind; the others' way to the packet inside is one of these.
CHOSEN = {("vxlan", "vxlan"), ("geneve", "geneve"), ("gre", "gretap"), ("gre", "ip6gre"), ("ipip", "ipip"),
          ("ip6ip6", "ip6tnl")}


def check_filters(pair, family, inner, expression):
    wanted = f"udp port {PORT} and {'ip6' if family == socket.AF_INET6 else 'ip'} dst host {inner[1]}"
    l2, l3 = "--filter-tunnel-pcap-l2", "--filter-tunnel-pcap-l3"
    found = inner_ports(pair, family, inner[1], expression, [l2, wanted], [l3, wanted],
                        [l2, f"udp port {PORT}", l3, f"udp port {PORT + 1}"])
    for number, ports in enumerate(found):
        assert (set(ports) == {PORT} and ports[PORT] >= 3) if number < 2 else not ports, found


for number, (wanted, module, kind, options, family, _, expression) in enumerate(CASES):
    if (wanted, kind) in CHOSEN:
        with lab.test(f"{kind}: packets chosen by what is in them"), \
                tunnel(number, module, kind, options, family) as (ends, addresses):
            check_filters(ends, family, addresses, expression)
lab.finish()
