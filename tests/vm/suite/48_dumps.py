#!/usr/bin/env python3
"""Structs of the kernel field by field, held against what else is known of the packet; names of network namespaces."""

import contextlib
import os
import re
import socket

import suite_lib as lab

PORT = 7481
FIELD = re.compile(r"\.([\w.\[\]]+) = (\{[^}]*\}|[^,}]+)")


def fields_of(text, type_name):
    """{path: value as text} of "(struct sk_buff){.len = 84, ...}"."""
    start = f"(struct {type_name}){{"
    assert text.startswith(start) and text.endswith("}"), text
    return dict(FIELD.findall(text[len(start):-1]))


def send(pair, size, family=socket.AF_INET):
    with lab.socket_in(pair.left.netns, family) as udp:
        udp.sendto(b"x" * size, (pair.right.v4 if family == socket.AF_INET else pair.right.v6, PORT))


def check_skb(pair):
    with lab.Trace("--output-skb", "--output-skb-shared-info", "--output-skb-cb", "--probes", "path",
                   f"udp port {PORT}") as trace:
        send(pair, 100)
        send(pair, 100, socket.AF_INET6)
        trace.wait_for(lambda event: event.get("func") == "skb_consume_udp", 5)
    events = [event for event in trace.events if event["type"] == "hop"]
    assert len(events) > 10, trace.stderr
    for event in events:
        skb = fields_of(event["sk_buff"], "sk_buff")
        assert int(skb["len"]) == event["len"], event
        assert int(skb.get("mark", 0)) == event["mark"], event
        assert re.fullmatch(r"0xffff[0-9a-f]{12}", skb["head"]) and re.fullmatch(r"0xffff[0-9a-f]{12}", skb["data"]), skb
        assert ("dev" in skb) or not event["ifname"], event
        if event["proto"] in (0x800, 0x86dd) and "protocol" in skb:
            assert int(skb["protocol"]) == event["proto"], event
        assert int(skb["users.refs.counter"]) >= 0, skb
        assert not [name for name in skb if name.startswith("headers")], skb
        shared = fields_of(event["skb_shared_info"], "skb_shared_info")
        assert int(shared["dataref.counter"]) & 0xffff >= 1 and "nr_frags" not in shared, shared
        assert len(event["cb"]) == 5, event
    sent = [event for event in events if event["ifname"] == "veth0"]
    assert sent and all(fields_of(event["sk_buff"], "sk_buff")["dev"].startswith("0xffff") for event in sent), events


def check_fragments(pair):
    """A page in a packet is a fragment, and only those that are in use are told."""
    with lab.Trace("--output-skb-shared-info", "--probes", "path", f"tcp port {PORT}") as trace:
        with lab.socket_in(pair.right.netns, socket.AF_INET, socket.SOCK_STREAM) as server, \
                lab.socket_in(pair.left.netns, socket.AF_INET, socket.SOCK_STREAM) as client:
            server.bind((pair.right.v4, PORT))
            server.listen()
            client.settimeout(30)
            client.connect((pair.right.v4, PORT))
            client.sendall(b"y" * 20000)
            trace.wait_for(lambda event: "nr_frags" in (event.get("skb_shared_info") or ""), 20)
    with_pages = [fields for event in trace.events if event["type"] == "hop" and event["skb_shared_info"]
                  if "nr_frags" in (fields := fields_of(event["skb_shared_info"], "skb_shared_info"))]
    assert with_pages, trace.stderr
    for fields in with_pages:
        told = {name.split("]")[0] for name in fields if name.startswith("frags[")}
        assert len(told) == int(fields["nr_frags"]), fields
    assert any(int(fields.get("gso_size", 0)) > 500 for fields in with_pages), with_pages[:3]


def check_control_words():
    """At dev_gro_receive() and behind it, cb is the layer's own; a program of TC would see its own words."""
    with lab.Netns() as netns:
        netns.run("ping", "-c", "1", "127.0.0.1")
        with lab.Trace("--output-skb-cb", "--output-skb-metadata", "*(u32 *)&skb->cb[8],*(u32 *)&skb->cb[24]", "--probes",
                       "path", "icmp") as trace:
            netns.run("ping", "-c", "3", "-i", "0.2", "127.0.0.1")
    hops = [event for event in trace.events if event["type"] == "hop"]
    assert hops, trace.stderr
    for event in hops:
        first, last = event["metadata"].values()
        assert (event["cb"][0], event["cb"][4]) == (first, last), event


def check_text(pair):
    with lab.Trace("--output-skb", "--output-skb-cb", "--output-netns-names", "--netns-names-max-length", "10",
                   "--probes", "path", f"udp port {PORT}", output="text") as trace:
        send(pair, 10)
        lab.wait_until(lambda: trace.stdout_path.read_text().count("(struct sk_buff)") > 5, 20)
    lines = trace.stdout_path.read_text().splitlines()
    assert " CB " in lines[0] and " NSNAME " in lines[0], lines[0]
    hops, dumps = lines[1::2], lines[2::2]
    assert hops and len(hops) == len(dumps), lines[:6]
    assert all(line.startswith("         (struct sk_buff){.") and line.endswith("}") for line in dumps), dumps[:3]
    short = re.compile(r"^lab\d\S*~\S+$")
    names = [name for line in hops for name in line.split() if short.match(name)]
    name = str(pair.left)
    assert len(name) <= 10 or names and all(len(found) == 10 for found in names), (name, hops[:3])


@contextlib.contextmanager
def unnamed_namespace():
    """A network namespace that only a process holds: its process id."""
    with lab.background("unshare", "--net", "sh", "-c", "ip link set lo up; exec sleep 600") as process:
        home = os.readlink("/proc/self/ns/net")
        assert lab.wait_until(lambda: os.readlink(f"/proc/{process.pid}/ns/net") != home, 30)
        yield process.pid


def pinged(pid):
    lab.run("nsenter", f"--net=/proc/{pid}/ns/net", "ping", "-c", "1", "-W", "2", "127.0.0.1", check=False)


def check_names(pair):
    with unnamed_namespace() as pid:
        inode = os.stat(f"/proc/{pid}/ns/net").st_ino
        lab.wait_until(lambda: not lab.run("nsenter", f"--net=/proc/{pid}/ns/net", "ping", "-c", "1", "127.0.0.1",
                                           check=False).returncode, 30)
        with lab.Trace("--output-netns-names", "--probes", "path", "icmp") as trace:
            pair.left.run("ping", "-c", "1", pair.right.v4)
            pinged(pid)
            assert trace.wait_for(lambda event: event.get("netns") == inode), trace.stderr
            lab.run("ip", "netns", "attach", "given-later", pid)

            def named():
                pinged(pid)
                return trace.wait_for(lambda event: event.get("netns_name") == "given-later", 1)
            assert lab.wait_until(named, 20), trace.so_far()[-3:]
            lab.run("ip", "netns", "delete", "given-later")
    by_inode = {}
    for event in trace.events:
        if event["type"] == "hop" and event["netns"]:
            by_inode.setdefault(event["netns"], []).append(event.get("netns_name"))
    assert set(by_inode[pair.left.netns.inode]) == {str(pair.left)}, by_inode
    assert set(by_inode[pair.right.netns.inode]) == {str(pair.right)}, by_inode
    assert by_inode[inode][0] is None and by_inode[inode][-1] == "given-later", by_inode


with lab.NetnsPair() as ends:
    ends.left.run("ping", "-c", "1", ends.right.v4)
    with lab.test("the fields of a packet's struct are those that the event has by other ways"):
        check_skb(ends)
    with lab.test("fragments that are in use are told, and no others"):
        check_fragments(ends)
    with lab.test("the words of cb are those that expressions read there"):
        check_control_words()
    with lab.test("in a text file every struct is one line below its hop, and a name is as short as asked for"):
        check_text(ends)
    with lab.test("a namespace goes by its name, also one that gets it while the trace runs"):
        check_names(ends)
with lab.test("the largest record is taken by this kernel's verifier: structs, packet bytes, values and stack"):
    with lab.Netns() as alone, lab.Trace("--output-skb", "--output-skb-shared-info", "--output-stack", "--output-caller",
                                         "--output-skb-metadata", "skb->len", "--snaplen", 16384, "--filter-at", "all",
                                         "--probes", "path", "icmp", output="pcapng") as large:
        alone.run("ping", "-c", "2", "127.0.0.1")
        lab.wait_until(lambda: large.stdout_path.stat().st_size > 20000, 20)
    assert large.status == 0 and large.totals.events > 20, large.stderr
    assert b"(struct sk_buff){" in large.stdout_path.read_bytes()
lab.finish()
