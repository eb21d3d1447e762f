"""Real tunnels of the kernel, over IPv4 and IPv6, for suites that look into them."""

import collections
import concurrent.futures
import contextlib
import socket

import suite_lib as lab

PORT = 7401
# Devices whose outer packets are IPv6, which begin with an option that says how often they may be packed again.
OVER_IP6 = {"ip6tnl", "ip6gre"}
IN_IP6 = "ip6[6] = 60"


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


@contextlib.contextmanager
def tunnel(number, module, kind, options, family):
    """Both ends of a pair that has a tunnel; the inner addresses, left first."""
    if not lab.load_module(module):
        raise lab.Skip(f"module {module}")
    with lab.NetnsPair(number + 1) as pair:
        inner = tunnel_up(pair, number, kind, options, family)
        pair.left.run("ping", "-c", "1", "-W", "5", inner[1])
        yield pair, inner


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
