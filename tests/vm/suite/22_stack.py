#!/usr/bin/env python3
"""--filter-track-skb-by-stackid and --filter-non-skb-funcs: what the kernel does and makes while it handles a followed packet
belongs to that packet, and nothing else does."""

import collections
import contextlib
import socket
import time

import suite_lib as lab

CLOSED, OPEN = 7600, 7601
ECHO_REQUEST = "icmp[0] == 8"
# Takes no packet, is called once for each that is routed and for many other reasons, and is there on all kernels.
BESIDE = "fib_table_lookup"
STACK = "--filter-track-skb-by-stackid"


def born(events):
    """The first event of each packet that was made while another one was handled."""
    return [event for event in events if event["tracked_by"] == "stack" and event["skb"] is not None]


def told_of(event, protocol):
    return (event["tuple"] or {}).get("l4") == protocol


def ping(pair, count=1):
    lab.run("ping", "-q", "-c", count, "-i", "0.2", pair.right.v4, netns=pair.left.netns, timeout=120)


@contextlib.contextmanager
def other_traffic(pair):
    """Packets that nobody asked for, on the same way, all the time."""
    with lab.background("ping", "-q", "-f", pair.right.v4, netns=pair.left.netns):
        yield


def check_error(pair):
    with lab.test("an ICMP error belongs to the datagram that it is about"):
        with lab.Trace(STACK, "--probes", "path", f"udp port {CLOSED} and not icmp") as trace:
            lab.send(pair, CLOSED)
            trace.wait_for(lambda event: told_of(event, "icmp") and event["func"] == "icmp_rcv")
        packets = trace.packets()
        datagram = next(events for events in packets.values() if events[0]["tracked_by"] == "filter")
        errors = [events for events in packets.values() if events[0]["tracked_by"] == "stack"
                  and any(told_of(event, "icmp") for event in events)]
        assert errors, {name: [event["func"] for event in events] for name, events in packets.items()}
        # The skb is the sender's at first: it is filled in later, and then goes all its way.
        assert {events[0]["parent"] for events in errors} == {datagram[0]["packet"]}, errors
        assert {event["tracked_by"] for events in errors for event in events[1:]} == {"skb"}, errors
        assert any(event["func"] == "icmp_rcv" for events in errors for event in events), errors
        assert trace.totals.lost == 0, trace.stderr
    with lab.test("without the flag it does not"):
        with lab.Trace("--probes", "path", f"udp port {CLOSED} and not icmp") as trace:
            lab.send(pair, CLOSED)
            trace.wait_for(lambda event: event["func"] == "ip_local_deliver")
            time.sleep(1)
        assert trace.events and not any(told_of(event, "icmp") for event in trace.events), trace.functions()


def check_answer(pair):
    with lab.test("an answer belongs to what it answers, each to its own"):
        with lab.Trace(STACK, "--probes", "path", f"{ECHO_REQUEST} and greater 400") as trace, other_traffic(pair):
            lab.run("ping", "-q", "-c", 5, "-i", "0.3", "-s", 400, pair.right.v4, netns=pair.left.netns, timeout=120)
            lab.wait_until(lambda: sum(event["func"] == "icmp_rcv" for event in trace.so_far()) >= 10, 30)
        asked = {events[0]["packet"] for events in trace.packets().values() if events[0]["tracked_by"] == "filter"}
        answers = born(trace.events)
        assert len(asked) == 5, trace.stderr
        assert collections.Counter(event["parent"] for event in answers) == dict.fromkeys(asked, 1), answers
        sizes = {event["len"] for event in trace.events if event["func"] == "icmp_rcv"}
        assert sizes and min(sizes) >= 400, "the flood came in"


def check_connection(pair):
    with lab.test("the first packets of a connection are a chain"), \
            lab.socket_in(pair.right.netns, socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind((pair.right.v4, OPEN))
        listener.listen()
        with lab.Trace(STACK, f"tcp dst port {OPEN} and tcp[tcpflags] == tcp-syn") as trace:
            with lab.socket_in(pair.left.netns, socket.AF_INET, socket.SOCK_STREAM) as client:
                client.connect((pair.right.v4, OPEN))
                accepted, _ = listener.accept()
                lab.wait_until(lambda: len(born(trace.so_far())) >= 2, 30)
                accepted.close()
        packets = trace.packets()
        flags = {packet: next((event["tuple"]["tcp_flags"] for event in events
                               if event["tuple"] and event["tuple"]["tcp_flags"]), None)
                 for packet, events in packets.items()}
        syn = next(packet for packet, events in packets.items() if events[0]["tracked_by"] == "filter")
        answer = [packet for packet, events in packets.items() if events[0]["parent"] == syn]
        assert len(answer) == 1 and flags[answer[0]] == "SYN|ACK", flags
        last = [packet for packet, events in packets.items() if events[0]["parent"] == answer[0]]
        assert len(last) == 1 and flags[last[0]] == "ACK", flags


def check_repeated(pair):
    with lab.test("what one task sends again and again is no answer to what it sent before"):
        with lab.Trace(STACK, "--probes", "path", f"udp dst port {CLOSED} and greater 60") as trace:
            for _ in range(20):
                lab.send(pair, CLOSED, 20)
            lab.wait_until(lambda: len(trace.so_far()) > 1000, 20)
        sent = [events for events in trace.packets().values()
                if any(told_of(event, "udp") and event["func"] == "__ip_local_out" for event in events)]
        assert len(sent) == 400, (len(sent), trace.stderr)
        assert {events[0]["tracked_by"] for events in sent} == {"filter"}, \
            [events[0] for events in sent if events[0]["tracked_by"] != "filter"][:3]


def calls_of_each(pair, count, meanwhile=contextlib.nullcontext):
    """How often BESIDE was called for each of `count` echo requests."""
    with lab.Trace("--filter-non-skb-funcs", BESIDE, "--filter-func", "ip_rcv|icmp_rcv|ip_route_input_noref",
                   f"{ECHO_REQUEST} and greater 400 and dst {pair.right.v4}") as trace, meanwhile():
        lab.run("ping", "-q", "-c", count, "-i", "0.3", "-s", 400, pair.right.v4, netns=pair.left.netns, timeout=120)
        lab.wait_until(lambda: sum(event["func"] == "icmp_rcv" for event in trace.so_far()) >= count, 30)
    assert trace.totals.lost == 0, trace.stderr
    return trace, [collections.Counter(event["func"] for event in events) for events in trace.packets().values()]


def check_beside(pair):
    with lab.test("a function without a packet is told when it is called for a followed one"):
        trace, quiet = calls_of_each(pair, 5)
        told = [event for event in trace.events if event["func"] == BESIDE]
        assert told, trace.functions()
        for event in told:
            assert event["tracked_by"] == "stack" and event["skb"] is None, event
            assert event["len"] is None and event["mark"] is None and event["tuple"] is None, event
            assert event["netns"] is None and event["ifname"] is None, event
    with lab.test("and not when it is called for others meanwhile"):
        _, busy = calls_of_each(pair, 5, lambda: other_traffic(pair))
        requests = [counts for counts in busy if counts["ip_rcv"]]
        # The first one may find a route that is remembered for the next.
        assert requests and {counts[BESIDE] for counts in requests} <= {counts[BESIDE] for counts in quiet}, (quiet, busy)
    with lab.test("its line has the stack and the caller, and no columns of a packet"):
        with lab.Trace("--filter-non-skb-funcs", BESIDE, "--output-caller", "--output-stack", "--probes", "path",
                       ECHO_REQUEST, output="text") as trace:
            ping(pair)
            lab.wait_until(lambda: f"{BESIDE} " in trace.stdout_path.read_text(), 20)
        lines = trace.stdout_path.read_text().splitlines()
        at = next((number for number, line in enumerate(lines) if f" {BESIDE} " in line), None)
        assert at is not None, lines
        assert lines[at].split()[0].startswith("#"), lines[at]
        stack = "\n".join(lines[at + 1:at + 30]).split("#")[0]
        assert "ip_rcv" in stack or "ip_local_deliver" in stack or "icmp_rcv" in stack or "__ip_queue_xmit" in stack \
            or "ip_route" in stack, stack


def refuses(name, *arguments, words):
    with lab.test(name):
        done = lab.run("skbtrail", "trace", *arguments, check=False)
        assert done.returncode == 2 and len(done.stderr.splitlines()) == 1, (done.returncode, done.stderr)
        assert all(word in done.stderr for word in words), done.stderr


def check_errors():
    refuses("a function that is not there", "--filter-non-skb-funcs", "no_such_function_here",
            words=("--filter-non-skb-funcs 'no_such_function_here'", "available_filter_functions"))
    refuses("a function that takes a packet", "--filter-non-skb-funcs", "ip_rcv", words=("'ip_rcv'", "takes a packet"))
    refuses("tracking by stack on trampolines", STACK, "--backend", "fentry.multi", words=(STACK, "kprobe.multi"))
    refuses("tracking by stack of drops alone", STACK, "--probes", "drops", words=(STACK, "--probes path"))


def main():
    with lab.NetnsPair() as pair:
        ping(pair)
        check_error(pair)
        check_answer(pair)
        check_repeated(pair)
        check_connection(pair)
        check_beside(pair)
    check_errors()
    lab.finish()


main()
