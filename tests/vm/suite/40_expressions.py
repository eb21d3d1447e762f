#!/usr/bin/env python3
"""Field expressions: --filter-skb-expr and --output-skb-metadata against traffic whose fields are known.

The first case is the one that pwru publishes for its flag of the same name; the others are each one kind of expression.
Where a program of another kernel differs (verifier, layout of struct sk_buff) it shows here.
"""

import contextlib
import json
import pathlib
import socket

import suite_lib as lab

UNIT = pathlib.Path(__file__).resolve().parents[3] / "build/release/tests/unit_filter"
SO_MARK = 36


def send(pair, port, mark=0, size=40, family=socket.AF_INET):
    """One datagram from left to right, with a mark."""
    with lab.socket_in(pair.left.netns, family) as udp:
        if mark:
            udp.setsockopt(socket.SOL_SOCKET, SO_MARK, mark)
        udp.sendto(b"x" * size, (pair.right.v4 if family == socket.AF_INET else pair.right.v6, port))


def traffic(pair):
    send(pair, 7201, mark=0x10)
    send(pair, 7202, mark=0x2A, size=900)
    send(pair, 7203, size=10)
    send(pair, 7201, family=socket.AF_INET6)


def ports_with(pair, expression, *more):
    """{(destination port, IP version)} of the packets that a trace with this expression shows."""
    with lab.Trace("--filter-skb-expr", expression, "--filter-func", FUNCTIONS, *more, "udp portrange 7201-7203") as trace:
        traffic(pair)
        trace.wait_for(lambda event: False, deadline=0.5)
    assert trace.status == 0, trace.stderr
    return {(event["tuple"]["dport"], 6 if ":" in event["tuple"]["saddr"] else 4)
            for event in trace.events if event.get("tuple")}, trace


ALL = {(7201, 4), (7202, 4), (7203, 4), (7201, 6)}
V4 = {(7201, 4), (7202, 4), (7203, 4)}
FUNCTIONS = "__dev_queue_xmit|ip_output|ip6_output|ip_rcv|ipv6_rcv"


def check_cases(pair):
    index = pair.left.ifindex
    for name, expression, wanted in (
        ("pwru's case: the index of the device", f"skb->dev->ifindex == {index}", ALL),
        ("the index of another device", f"skb->dev->ifindex == {index + 1000}", set()),
        ("pwru's single =, and a big-endian field in host order", "skb->protocol = 0x0800", V4),
        ("a mark with a mask", "(skb->mark & 0xf0) == 0x10", {(7201, 4)}),
        ("a mark or a length", "skb->mark == 42 || skb->len < 40", {(7202, 4), (7203, 4)}),
        ("the name of the device", 'skb->dev && skb->dev->name == "veth0"', ALL),
        ("a name that only begins so", 'skb->dev && skb->dev->name == "veth"', set()),
        ("the name of another device", 'skb->dev && skb->dev->name != "veth0"', set()),
        ("a bitfield", "skb->pkt_type == 4 || skb->pkt_type == 0", ALL),
        ("a cast into the packet", "((struct iphdr *)(skb->head + skb->network_header))->protocol == IPPROTO_UDP && "
                                   "skb->protocol == 0x800", V4),
        ("a nested big-endian field behind a cast",
         "((struct udphdr *)(skb->head + skb->transport_header))->dest == 7203", {(7203, 4)}),
        ("an element of an array", "skb->protocol == 0x86dd && "
                                   "((struct ipv6hdr *)(skb->head + skb->network_header))->saddr.in6_u.u6_addr8[0] == 0xfd",
         {(7201, 6)}),
        ("the socket behind a pointer", "skb->sk && skb->sk->__sk_common.skc_family == 2", V4),
        ("a namespace behind two pointers", f"skb->dev->nd_net.net->ns.inum == {pair.left.netns.inode}", ALL),
        ("arithmetic", "skb->len * 2 - 1 > 1000 && !(skb->mark % 42)", {(7202, 4)}),
        ("a read that fails matches nothing", "*(int *)8 == *(int *)8 || 1", set()),
    ):
        with lab.test(name):
            seen, trace = ports_with(pair, expression)
            assert seen == wanted, f"{expression}: {sorted(seen)} instead of {sorted(wanted)}\n{trace.stderr}"


def check_values(pair):
    with lab.test("values are those of the packet, and null where nothing can be read"):
        expressions = ("skb->mark", "skb->len", "skb->dev->ifindex", "*(int *)8")
        with lab.Trace("--output-skb-metadata", ",".join(expressions), "--filter-func", "__dev_queue_xmit",
                       "udp portrange 7201-7203") as trace:
            traffic(pair)
            trace.wait_for(lambda event: event["tuple"]["dport"] == 7203)
        hops = [event for event in trace.events if event["type"] == "hop"]
        assert hops, trace.stderr
        for event in hops:
            values = event["metadata"]
            assert list(values) == list(expressions), values
            assert values["skb->mark"] == event["mark"] and values["skb->len"] == event["len"], event
            assert values["skb->dev->ifindex"] == event["ifindex"] and values["*(int *)8"] is None, event
        assert {event["mark"] for event in hops} == {0, 0x10, 0x2A}, hops
    with lab.test("values and stacks go into one record"):
        with lab.Trace("--output-skb-metadata", "skb->len", "--output-stack", "--output-caller", "--filter-func",
                       "__dev_queue_xmit", "udp port 7202") as trace:
            send(pair, 7202, size=300)
            trace.wait_for(lambda event: event["type"] == "hop")
        event = next(event for event in trace.events if event["type"] == "hop")
        assert event["metadata"]["skb->len"] == event["len"] and len(event["stack"]) > 3, event
    with lab.test("drops have values, too"):
        with lab.Trace("--probes", "drops", "--output-skb-metadata", "skb->mark", "--filter-skb-expr",
                       "skb->mark == 0x77", "udp") as trace:
            for mark in (0x77, 0x78):
                # A packet that netfilter drops on its way out is EPERM to its sender.
                with contextlib.suppress(PermissionError):
                    send(pair, 7777, mark=mark)
            trace.wait_for(lambda event: event["type"] == "drop")
        drops = [event for event in trace.events if event["type"] == "drop"]
        assert drops and all(event["metadata"] == {"skb->mark": 0x77} for event in drops), (drops, trace.stderr)


def program_size(*arguments):
    """Instructions of the entry program, as the kernel keeps it, of a trace with these arguments."""
    with lab.Trace("--filter-func", "ip_output|ip_rcv", *arguments) as trace:
        programs = json.loads(lab.run("bpftool", "-j", "prog", "show").stdout)
        sizes = [one["bytes_xlated"] // 8 for one in programs if one.get("name", "").startswith("entry_")]
    assert len(sizes) == 1, (programs, trace.stderr)
    return sizes[0]


def check_cost():
    """The pads hold 12,288 instructions; what is off must leave none of them."""
    with lab.test("what is off leaves no instruction in the program"):
        plain = program_size()
        fields = program_size("--filter-skb-expr", "skb->len == 5")
        values = program_size("--output-skb-metadata", "skb->len")
        print(f"    # instructions: {plain} plain, {fields} with a filter on one field, {values} with one value", flush=True)
        # A filter on a field reads the whole skb at once, without one its front half only if the packet matches.
        assert plain < 3000 and abs(fields - plain) < 100 and plain < values < plain + 200, (plain, fields, values)


def check_compiler():
    with lab.test("this kernel's verifier takes random expressions, which compute what C computes"):
        if not UNIT.exists():
            raise lab.Skip("build/release/tests/unit_filter")
        done = lab.run(UNIT, "*random field expressions*", check=False, timeout=400)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
        assert "skipped" not in done.stdout, done.stdout


lab.load_module("nf_tables")
with lab.NetnsPair() as pair:
    pair.left.run("ping", "-c", "1", pair.right.v4)
    pair.left.run("nft", "add table ip t; add chain ip t o { type filter hook output priority 0; }; "
                         "add rule ip t o udp dport 7777 drop")
    check_cases(pair)
    check_values(pair)
check_cost()
check_compiler()
lab.finish()
