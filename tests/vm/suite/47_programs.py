#!/usr/bin/env python3
"""--filter-trace-tc: BPF programs of TC are traced at entry and exit, whenever they were loaded."""

import os

import programs_lab as programs
import suite_lib as lab

FUNCTIONS = "__ip_local_out|__dev_queue_xmit|ip_rcv|udp_rcv|kfree_skbmem"
PORT, DROPPED_PORT = 7500, 7501


def send(pair, port):
    with lab.socket_in(pair.left.netns, 2) as udp:
        udp.sendto(b"x" * 40, (pair.right.v4, port))


def traced(pair, *arguments, port=PORT):
    """A trace of one datagram on its way through two programs, which are four steps."""
    with lab.Trace("--filter-trace-tc", "--filter-func", FUNCTIONS, *arguments, f"udp port {port}") as trace:
        send(pair, port)
        lab.wait_until(lambda: len(programs.steps(trace.so_far())) >= 4, 20, every=0.2)
    assert trace.status == 0, trace.stderr
    return trace


def check_one_packet(trace, *names):
    """Every step of these programs belongs to the packet that was sent, in order and by its name."""
    steps = programs.steps(trace.events)
    packets = {event["packet"] for event in trace.events}
    assert len(packets) == 1, packets
    assert [event["func"] for event in steps] == [name for name in names for _ in (0, 1)], steps
    for event in steps:
        assert event["module"] == "bpf" and event["program"]["id"] > 0 and event["type"] == "hop", event
    assert trace.totals.lost == 0, trace.stderr


def check_cls_bpf(pair, pins):
    programs.attach_tc(pair.left, "egress", pins / "tc_lets_everything_pass")
    programs.attach_tc(pair.right, "ingress", pins / "tc_drops_one_port")
    with lab.test("programs at both ends, with what they decide"):
        trace = traced(pair)
        check_one_packet(trace, "tc_lets_everything_pass", "tc_drops_one_port")
        assert [event["program"]["verdict"] for event in programs.steps(trace.events)] == \
            [None, "TC_ACT_OK", None, "TC_ACT_OK"], trace.events
        assert "udp_rcv" in trace.functions(), trace.functions()
    with lab.test("a program that drops, and the drop behind it"):
        trace = traced(pair, port=DROPPED_PORT)
        check_one_packet(trace, "tc_lets_everything_pass", "tc_drops_one_port")
        assert programs.verdicts(trace.events, "tc_drops_one_port") == [None, "TC_ACT_SHOT"], trace.events
        drops = [event for event in trace.events if event["type"] == "drop"]
        assert len(drops) == 1, trace.events
        assert drops[0]["packet"] == trace.events[0]["packet"], drops
    with lab.test("each event says why it is there"):
        trace = traced(pair)
        assert [event["tracked_by"] for event in trace.events] == \
            ["filter"] + ["skb"] * (len(trace.events) - 1), trace.events
    with lab.test("a filter on the namespace that receives leaves the other end's program out"):
        with lab.Trace("--filter-trace-tc", "--filter-func", "udp_rcv", "--filter-ifname", pair.right.device,
                       "--filter-netns", pair.right.path, f"udp port {PORT}") as trace:
            send(pair, PORT)
            trace.wait_for(lambda event: event["func"] == "udp_rcv")
        assert programs.verdicts(trace.events, "tc_drops_one_port") == [None, "TC_ACT_OK"], trace.events
        assert not programs.verdicts(trace.events, "tc_lets_everything_pass"), trace.events
    with lab.test("other packets are not shown"):
        with lab.Trace("--filter-trace-tc", "--filter-func", FUNCTIONS, "udp port 9") as trace:
            send(pair, PORT)
            trace.wait_for(lambda event: False, deadline=1)
        assert not trace.events, trace.events
    with lab.test("text has the program, its id and its verdict in one column"):
        with lab.Trace("--filter-trace-tc", "--filter-func", FUNCTIONS, f"udp port {PORT}", output="text") as trace:
            send(pair, PORT)
            lab.wait_until(lambda: b"udp_rcv" in trace.stdout_path.read_bytes(), 20)
        text = trace.stdout_path.read_text()
        assert "tc_drops_one_port [tc " in text and "] TC_ACT_OK\n" in text, text
    with lab.test("stacks and values go with it"):
        trace = traced(pair, "--output-stack", "--output-skb-metadata", "skb->len")
        for event in trace.events:
            assert event["metadata"] == {"skb->len": event["len"]} and event["stack"], event


def ids(trace, name):
    return {event["program"]["id"] for event in trace.so_far() if event["func"] == name}


def check_changes(pair, pins):
    with lab.test("a program that is loaded and attached while the trace runs"):
        programs.detach_tc(pair.right)
        with programs.loaded("tc_programs") as later, \
                lab.Trace("--filter-trace-tc", "--filter-func", FUNCTIONS, f"udp port {PORT}") as trace:
            def seen(name):
                send(pair, PORT)
                return programs.verdicts(trace.so_far(), name)
            assert lab.wait_until(lambda: seen("tc_lets_everything_pass"), 20), trace.so_far()
            assert not programs.verdicts(trace.so_far(), "tc_drops_one_port"), trace.so_far()
            with programs.loaded("tc_programs") as latest:
                programs.attach_tc(pair.right, "ingress", latest / "tc_drops_one_port")
                assert lab.wait_until(lambda: seen("tc_drops_one_port"), 30), trace.so_far()[-5:]
            # In its place another one of the same name.
            programs.attach_tc(pair.right, "ingress", later / "tc_drops_one_port")
            assert lab.wait_until(lambda: seen("tc_drops_one_port") and
                                  len(ids(trace, "tc_drops_one_port")) == 2, 30), trace.so_far()[-5:]
        assert trace.status == 0, trace.stderr
    with lab.test("what the trace held is gone with it"):
        programs.detach_tc(pair.right)
        # The kernel frees programs when nobody can be in them any more.
        assert lab.wait_until(lambda: not any(name.startswith("program_") for name in programs.shown()), 20), \
            programs.shown()
    programs.attach_tc(pair.right, "ingress", pins / "tc_drops_one_port")


def check_odd_ones(pair, pins):
    with lab.test("a program whose argument has no type shows its verdict all the same"):
        programs.attach_tc(pair.right, "ingress", pins / "tc_untyped")
        trace = traced(pair)
        assert programs.verdicts(trace.events, "tc_untyped") == [None, "TC_ACT_OK"], trace.events
    with lab.test("a program without BTF is named with the cure, and the trace goes on"):
        untold = programs.load_without_types("tc_untold")
        trace = traced(pair)
        os.close(untold)
        line, = [line for line in trace.stderr.splitlines() if "tc_untold" in line]
        assert "is not traced: it has no BTF: compile it with -g" in line, line
        assert trace.totals.rejected >= 1, trace.stderr
    programs.detach_tc(pair.right)


def check_tcx(pair, pins):
    with lab.test("tcx: a program that is attached by a link"):
        try:
            link = programs.attach_tcx(pair.right, pins / "tc_drops_one_port")
        except OSError as error:
            if lab.kernel_version() >= (6, 6):
                raise
            raise lab.Skip("tcx (Linux 6.6)") from error
        trace = traced(pair)
        os.close(link)
        assert programs.verdicts(trace.events, "tc_drops_one_port") == [None, "TC_ACT_OK"], trace.events


def check_ours():
    with lab.test("who does not ask for it has nothing of it loaded"):
        with lab.Trace("--filter-func", FUNCTIONS, f"udp port {PORT}"):
            names = set(programs.shown())
        assert "drop_skb" in names and not names & {"tc_entry", "tc_exit", "skbtrail_tc"}, names
    with lab.test("what a trace itself brings along is no program to trace"):
        with lab.Trace("--filter-trace-tc", "--filter-func", FUNCTIONS, f"udp port {PORT}") as first, \
                lab.Trace("--filter-trace-tc", "--filter-func", FUNCTIONS, f"udp port {PORT}") as second:
            pass
        for trace in (first, second):
            assert "tracing: 0 BPF programs, 0 refused" in trace.stderr, trace.stderr


def check_bounds(pair):
    with lab.test("of many programs that cannot be traced some are named and all are counted"):
        untold = [programs.load_without_types(f"untold_{number}") for number in range(70)]
        with lab.Trace("--filter-trace-tc", "--filter-func", FUNCTIONS, f"udp port {PORT}") as trace:
            send(pair, PORT)
            trace.wait_for(lambda event: event["func"] == "udp_rcv")
        for program in untold:
            os.close(program)
        assert trace.stderr.count("it has no BTF") == 64, trace.stderr
        assert trace.stderr.count("are not named") == 1 and "70 refused" in trace.stderr, trace.stderr


def check_refusals():
    with lab.test("with drops only there is nothing to follow into a program"):
        done = lab.run("skbtrail", "trace", "--filter-trace-tc", "--probes", "drops", check=False)
        assert done.returncode == 2 and "--probes path or all" in done.stderr, done.stderr
    with lab.test("who may not list programs learns what that takes"):
        if lab.kernel_version() < (6, 6):
            raise lab.Skip("a backend without CAP_SYS_ADMIN")
        done = lab.run("setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin", "--", "skbtrail", "trace",
                       "--filter-trace-tc", "--duration", "1s", check=False)
        assert done.returncode == 3 and "CAP_SYS_ADMIN" in done.stderr, done.stderr


lab.load_module("sch_ingress")
lab.load_module("cls_bpf")
check_ours()
with lab.NetnsPair() as pair, programs.loaded("tc_programs") as pins:
    pair.left.run("ping", "-c", "1", pair.right.v4)
    check_cls_bpf(pair, pins)
    check_changes(pair, pins)
    check_odd_ones(pair, pins)
    check_tcx(pair, pins)
    check_bounds(pair)
check_refusals()
lab.finish()
