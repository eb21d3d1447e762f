#!/usr/bin/env python3
"""--output pcapng, read back by tshark: the right bytes, interfaces, comments and lengths at every hop."""

import json
import shutil
import socket

import suite_lib as lab


def packets_of(path):
    """What tshark says, one dictionary of fields for each packet."""
    fields = ("frame.comment", "frame.interface_name", "frame.cap_len", "frame.len", "udp.dstport", "ip.src", "ipv6.src",
              "vlan.id", "data.data", "_ws.malformed")
    command = ["tshark", "-n", "-r", path, "-T", "json"] + [part for field in fields for part in ("-e", field)]
    return [{name: values[0] for name, values in packet["_source"]["layers"].items()}
            for packet in json.loads(lab.run(*command, timeout=120).stdout)]


def send(pair, family, size, port=7301):
    with lab.socket_in(pair.left.netns, family) as udp:
        udp.sendto(bytes(range(256)) * (size // 256) + bytes(range(size % 256)),
                   (pair.right.v4 if family == socket.AF_INET else pair.right.v6, port))


def capture(*arguments, packets, pair, filters="udp portrange 7301-7302"):
    path = lab.OUT / f"capture-{len(arguments)}-{packets[0][1]}.pcapng"
    path.unlink(missing_ok=True)
    with lab.Trace("--output-file", path, *arguments, filters, output="pcapng") as trace:
        for packet in packets:
            send(pair, *packet)
        lab.wait_until(lambda: path.stat().st_size > 600, 20)
        lab.wait_until(lambda: False, 0.5)
    assert trace.status == 0, trace.stderr
    return packets_of(path), trace


def number(text):
    return int(text, 0)


def check_hops(pair):
    with lab.test("every event is a packet that tshark understands, on the interface where it was"):
        found, trace = capture("--probes", "path", packets=[(socket.AF_INET, 100), (socket.AF_INET6, 100)], pair=pair)
        assert len(found) == trace.totals.events > 10, (len(found), trace.stderr)
        assert all(packet["frame.comment"].startswith(("hop ", "drop ")) for packet in found), found
        names = {packet["frame.interface_name"] for packet in found}
        ends = {f"veth0@{pair.left.netns.inode}", f"veth0@{pair.right.netns.inode}"}
        assert ends <= names, (ends, names)
        # There the kernel has not written the payload length yet: 0, and the capture says so.
        unfinished = ("hop __ip6_local_out", "hop __ip_local_out")
        assert not [packet for packet in found
                    if "_ws.malformed" in packet and not packet["frame.comment"].startswith(unfinished)], found
        named = [packet for packet in found if number(packet["frame.cap_len"]) > 0]
        assert {packet["udp.dstport"] for packet in named if "udp.dstport" in packet} == {"7301"}, named
        assert any("ipv6.src" in packet for packet in named) and any("ip.src" in packet for packet in named), named
    with lab.test("the bytes are those that were sent"):
        found, _ = capture("--filter-func", "ip_rcv|__dev_queue_xmit", packets=[(socket.AF_INET, 100)], pair=pair)
        wanted = bytes(range(100)).hex()
        seen = {packet["data.data"].replace(":", "") for packet in found if "data.data" in packet}
        assert seen == {wanted}, (seen, found)


def check_lengths(pair):
    with lab.test("a packet longer than --snaplen is cut, and its length is still told"):
        found, _ = capture("--snaplen", 64, "--filter-func", "ip_rcv", packets=[(socket.AF_INET, 1000)], pair=pair)
        hops = [packet for packet in found if packet["frame.comment"].startswith("hop ip_rcv")]
        assert hops, found
        for packet in hops:
            assert number(packet["frame.cap_len"]) in range(64, 64 + 19), packet
            assert number(packet["frame.len"]) == 1000 + 8 + 20 + 14, packet
    with lab.test("the largest --snaplen is taken by this kernel's verifier, with stack and values"):
        found, _ = capture("--snaplen", 16384, "--output-stack", "--output-skb-metadata", "skb->len", "--filter-func",
                           "ip_rcv", packets=[(socket.AF_INET, 1200)], pair=pair)
        hops = [packet for packet in found if packet["frame.comment"].startswith("hop ip_rcv")]
        assert hops and all("skb->len = 1228" in packet["frame.comment"] and ", stack " in packet["frame.comment"] and
                            number(packet["frame.cap_len"]) == 1242 for packet in hops), found


def check_drops(pair):
    with lab.test("a drop is a packet whose comment has the reason"):
        pair.left.run("nft", "add table ip t; add chain ip t o { type filter hook output priority 0; }; "
                             "add rule ip t o udp dport 7302 drop")
        path = lab.OUT / "drops.pcapng"
        path.unlink(missing_ok=True)
        with lab.Trace("--probes", "drops", "--output-file", path, "udp port 7302", output="pcapng") as trace:
            try:
                send(pair, socket.AF_INET, 50, port=7302)
            except PermissionError:
                pass    # what netfilter drops on its way out is an error to its sender
            lab.wait_until(lambda: path.stat().st_size > 200, 20)
        assert trace.status == 0, trace.stderr
        reason = "NETFILTER_DROP" if lab.kernel_version() >= (5, 18) else "without a reason"
        comments = [packet["frame.comment"] for packet in packets_of(path)]
        assert comments and all(comment.startswith(f"drop {reason} at ") for comment in comments), comments


lab.load_module("nf_tables")
if not shutil.which("tshark"):
    lab.skip("captures", "tshark")
    lab.finish()
with lab.NetnsPair() as pair:
    pair.left.run("ping", "-c", "1", pair.right.v4)
    check_hops(pair)
    check_lengths(pair)
    check_drops(pair)
lab.finish()
