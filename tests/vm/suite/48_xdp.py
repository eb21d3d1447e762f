#!/usr/bin/env python3
"""--filter-trace-xdp: XDP programs are traced, and a packet is followed from its program into the skb that is made of it.

veth runs XDP on skbs, most of which it copies first, and on frames that other programs send it; generic XDP runs on the
skb itself. All three are here, and a redirect over two links.
"""

import socket
import struct

import programs_lab as programs
import suite_lib as lab

PORT, DROPPED_PORT = 7500, 7501
WAY_OUT = 77    # as in tests/vm/programs/xdp_programs.bpf.c
FUNCTIONS = "__dev_queue_xmit|napi_gro_receive|gro_receive_skb|eth_type_trans|__netif_receive_skb_core|ip_rcv|udp_rcv"


def send(pair, port, size=40):
    with lab.socket_in(pair.left.netns, socket.AF_INET) as udp:
        udp.sendto(b"x" * size, (pair.right.v4, port))


def traced(pair, *arguments, port=PORT, until="udp_rcv", size=40):
    """A trace of one datagram that has got as far as `until`."""
    with lab.Trace("--filter-trace-xdp", "--filter-func", FUNCTIONS, *arguments, f"udp port {port}") as trace:
        send(pair, port, size)
        trace.wait_for(lambda event: event["func"] == until and (event.get("program") or {}).get("verdict") is not None
                       or event["func"] == until and not event.get("program"), deadline=20)
    assert trace.status == 0, trace.stderr
    return trace


def check_family(events):
    """All events are of one packet and of copies of it."""
    family = {events[0]["packet"]}
    for event in events:
        assert event["packet"] in family or event["parent"] in family, (event, family)
        family.add(event["packet"])
    return family


def check_sent_here(pair, pins, mode):
    """A packet from the other end of the link, known from there."""
    with programs.xdp(pair.right.netns, pair.right.device, pins / "xdp_drops_one_port", mode):
        with lab.test(f"{mode}: a packet that passes is the same before and behind the program"):
            trace = traced(pair)
            check_family(trace.events)
            assert programs.verdicts(trace.events, "xdp_drops_one_port") == [None, "XDP_PASS"], trace.events
            assert {event["tracked_by"] for event in trace.events[1:]} == {"skb"}, trace.events
            for event in programs.steps(trace.events):
                assert event["skb"] is None and event["tuple"]["dport"] == PORT, event
                assert event["ifname"] == pair.right.device and event["netns"] == pair.right.netns.inode, event
                assert event["program"]["type"] == "xdp" and event["proto"] == 0x800, event
            received = [event for event in trace.events if event["func"] == "udp_rcv"]
            assert received and received[0]["packet"] == programs.steps(trace.events)[0]["packet"], trace.events
        with lab.test(f"{mode}: a packet that the program drops"):
            trace = traced(pair, port=DROPPED_PORT, until="xdp_drops_one_port")
            check_family(trace.events)
            assert programs.verdicts(trace.events, "xdp_drops_one_port") == [None, "XDP_DROP"], trace.events
            assert "udp_rcv" not in trace.functions(), trace.events


def check_met_here(pair, pins, mode):
    """A packet that is met in the program, as on a machine that it comes to."""
    with programs.xdp(pair.right.netns, pair.right.device, pins / "xdp_lets_everything_pass", mode), \
            lab.test(f"{mode}: a packet that is met in a program is known again in its skb"):
        trace = traced(pair, "--filter-netns", pair.right.path, "--filter-xdp-expr", "xdp->data_end - xdp->data > 60",
                       "--output-xdp-metadata", "xdp->data_end - xdp->data,xdp->rxq->dev->ifindex")
        first, *others = trace.events
        assert first["tracked_by"] == "filter" and first["skb"] is None and first["program"]["verdict"] is None, first
        assert first["metadata"] == {"xdp->data_end - xdp->data": first["len"],
                                     "xdp->rxq->dev->ifindex": pair.right.ifindex}, first
        assert first["len"] == 14 + 20 + 8 + 40, first
        assert {event["packet"] for event in others} == {first["packet"]}, trace.events
        assert "udp_rcv" in trace.functions(), trace.events
        exit_, born, *later = others
        assert exit_["program"]["verdict"] == "XDP_PASS", exit_
        assert born["skb"] is not None, born
        if mode == "xdp":
            assert [exit_["tracked_by"], born["tracked_by"]] == ["xdp", "xdp"], trace.events
        assert {event["tracked_by"] for event in later} == {"skb"}, trace.events
        assert trace.totals.packets == 1 and trace.totals.lost == 0, trace.stderr


def check_expression(pair, pins):
    with programs.xdp(pair.right.netns, pair.right.device, pins / "xdp_lets_everything_pass"), \
            lab.test("what a condition on frames leaves out is met nowhere else"):
        with lab.Trace("--filter-trace-xdp", "--filter-func", FUNCTIONS, "--filter-xdp-expr",
                       "xdp->data_end - xdp->data > 200", f"udp port {PORT}") as trace:
            send(pair, PORT, size=20)
            send(pair, PORT, size=300)
            trace.wait_for(lambda event: event["func"] == "udp_rcv")
        assert {event["len"] >= 300 for event in trace.events} == {True}, trace.events


def vxlan(port, size):
    """What a VXLAN datagram carries: its header, and a frame with a UDP datagram to this port."""
    udp = struct.pack("!HHHH", 4711, port, 8 + size, 0) + b"x" * size
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, socket.IPPROTO_UDP, 0, bytes(4), bytes(4))
    return struct.pack("!II", 1 << 27, 42 << 8) + bytes(12) + b"\x08\x00" + ip + udp


def check_tunnel(pair, pins):
    with programs.xdp(pair.right.netns, pair.right.device, pins / "xdp_lets_everything_pass"), \
            lab.test("what a tunnel carries is judged in a program, too"):
        with lab.Trace("--filter-trace-xdp", "--filter-func", FUNCTIONS, "--filter-netns", pair.right.path,
                       "--filter-xdp-expr", "xdp->data_end - xdp->data > 60", "--filter-tunnel-pcap-l3", "udp port 53",
                       "udp port 4789") as trace, lab.socket_in(pair.left.netns, socket.AF_INET) as udp:
            for port, size in ((54, 30), (53, 20)):
                udp.sendto(vxlan(port, size), (pair.right.v4, 4789))
            trace.wait_for(lambda event: event["func"] == "udp_rcv")
        headers = 14 + 20 + 8 + 8 + 14 + 20 + 8
        assert {event["len"] for event in programs.steps(trace.events)} == {headers + 20}, trace.events


def check_dumps(pair, pins):
    with programs.xdp(pair.right.netns, pair.right.device, pins / "xdp_lets_everything_pass"), \
            lab.test("what is told of an skb is told where there is one"):
        trace = traced(pair, "--output-skb", "--output-skb-cb", "--output-skb-metadata", "skb->len", "--output-stack")
        for event in trace.events:
            assert (event["sk_buff"] is None) == (event["skb"] is None), event
            assert ("cb" in event) == ("metadata" in event) == (event["skb"] is not None), event
            assert event["stack"], event
        assert programs.steps(trace.events), trace.events


def check_changes(pair, pins):
    with lab.test("programs that are loaded, and replaced, while the trace runs"):
        def seen(name):
            send(pair, PORT)
            return programs.verdicts(trace.so_far(), name)

        with lab.Trace("--filter-trace-xdp", "--filter-func", FUNCTIONS, f"udp port {PORT}") as trace, \
                programs.loaded("xdp_programs") as later:
            device = pair.right.netns, pair.right.device
            with programs.xdp(*device, later / "xdp_lets_everything_pass"):
                assert lab.wait_until(lambda: seen("xdp_lets_everything_pass"), 30), trace.so_far()[-5:]
                programs.set_xdp(*device, pins / "xdp_drops_one_port")
                assert lab.wait_until(lambda: seen("xdp_drops_one_port"), 30), trace.so_far()[-5:]
        assert trace.status == 0, trace.stderr


def check_redirect(pair, pins):
    """From the right end's program over another link into a third namespace."""
    with lab.Netns() as third:
        pair.right.netns.ip("link", "add", "out0", "index", WAY_OUT, "type", "veth", "peer", "name", "in0", "netns", third)
        pair.right.netns.ip("link", "set", "out0", "up")
        third.ip("link", "set", "in0", "up", "promisc", "on")
        lab.wait_until(lambda: "LOWER_UP" in third.ip("link", "show", "in0").stdout, 10)
        with programs.xdp(pair.right.netns, pair.right.device, pins / "xdp_sends_on"), \
                programs.xdp(pair.right.netns, "out0", pins / "xdp_lets_everything_pass"), \
                programs.xdp(third, "in0", pins / "xdp_lets_everything_pass"):
            with lab.test("a packet that one program sends to another is one, and so is the skb behind it"):
                trace = traced(pair, until="__netif_receive_skb_core")
                check_family(trace.events)
                names = [(event["func"], event["program"]["verdict"]) for event in programs.steps(trace.events)]
                assert names == [("xdp_sends_on", None), ("xdp_sends_on", "XDP_REDIRECT"),
                                 ("xdp_lets_everything_pass", None), ("xdp_lets_everything_pass", "XDP_PASS")], names
                there = [event for event in trace.events if event["netns"] == third.inode]
                assert {event["packet"] for event in there} == {programs.steps(trace.events)[0]["packet"]}, there
                assert there[0]["tracked_by"] == "xdp" and there[-1]["skb"] is not None, there
            check_reuse(pair)


def check_reuse(pair):
    with lab.test("a thousand packets over the same buffers are a thousand packets"):
        first, last = 20000, 20999
        with lab.Trace("--filter-trace-xdp", "--filter-func", FUNCTIONS, "--ring-size", "64M",
                       f"udp portrange {first}-{last}") as trace:
            with lab.socket_in(pair.left.netns, socket.AF_INET) as udp:
                for port in range(first, last + 1):
                    udp.sendto(b"x" * 40, (pair.right.v4, port))
            trace.wait_for(lambda event: event.get("program") and event["tuple"]["dport"] == last, deadline=30)
            lab.wait_until(lambda: False, 0.5)
        ports = {}
        for event in trace.events:
            if event.get("tuple"):
                ports.setdefault(event["packet"], set()).add(event["tuple"]["dport"])
        joined = {packet: seen for packet, seen in ports.items() if len(seen) > 1}
        assert not joined, joined
        heads = [packet.split("-")[0] for packet in ports]
        print(f"    # {len(heads)} packets in {len(set(heads))} buffers", flush=True)
        assert len(set(heads)) < len(heads), "no buffer was used again"


def check_pieces(pair):
    with lab.test("a program that takes frames in several pieces"):
        if lab.kernel_version() < (5, 18):
            raise lab.Skip("xdp.frags (Linux 5.18)")
        for end in (pair.left, pair.right):
            end.netns.ip("link", "set", end.device, "mtu", "9000")
        with programs.loaded("xdp_frags") as pins, \
                programs.xdp(pair.right.netns, pair.right.device, pins / "xdp_takes_pieces"):
            trace = traced(pair, size=8000)
        steps = programs.steps(trace.events)
        assert programs.verdicts(trace.events, "xdp_takes_pieces") == [None, "XDP_PASS"], trace.events
        assert {event["len"] for event in steps} == {14 + 20 + 8 + 8000}, steps
        check_family(trace.events)


def check_refusals():
    for arguments in (["--filter-xdp-expr", "xdp->data"], ["--output-xdp-metadata", "xdp->data"]):
        with lab.test(f"{arguments[0]} wants programs to be traced"):
            done = lab.run("skbtrail", "trace", *arguments, check=False)
            assert done.returncode == 2 and "add --filter-trace-xdp" in done.stderr, done.stderr
    with lab.test("with drops only there is nothing to follow into a program"):
        done = lab.run("skbtrail", "trace", "--filter-trace-xdp", "--probes", "drops", check=False)
        assert done.returncode == 2 and "--probes path or all" in done.stderr, done.stderr


with lab.NetnsPair() as pair, programs.loaded("xdp_programs") as pins:
    pair.left.run("ping", "-c", "1", pair.right.v4)
    for mode in ("xdp", "xdpgeneric"):
        check_sent_here(pair, pins, mode)
        check_met_here(pair, pins, mode)
    check_expression(pair, pins)
    check_tunnel(pair, pins)
    check_dumps(pair, pins)
    check_changes(pair, pins)
    check_redirect(pair, pins)
    check_pieces(pair)
check_refusals()
lab.finish()
