#!/usr/bin/env python3
"""--filter-track-bpf-helpers: what BPF programs of TC and XDP call in the kernel while they handle a followed packet."""

import programs_lab as programs
import suite_lib as lab

PORT, OTHER = 7500, 7502
HELPERS = "--filter-track-bpf-helpers"
LOAD_BYTES = "bpf_skb_load_bytes"
WAY_OUT = 77    # as in tests/vm/programs/xdp_programs.bpf.c


def calls(events):
    return [event for event in events if event["tracked_by"] == "stack" and event["skb"] is None]


def check_tc(pair, pins):
    programs.attach_tc(pair.right, "ingress", pins / "tc_drops_one_port")
    with lab.test("a helper that a program of TC calls, with the program, between its entry and exit"):
        with lab.Trace("--filter-trace-tc", HELPERS, "--probes", "path", f"udp port {PORT}") as trace:
            lab.send(pair, OTHER, 20)
            lab.send(pair, PORT)
            trace.wait_for(lambda event: event["func"] == "ip_local_deliver")
        told = calls(trace.events)
        assert [event["func"] for event in told] == [LOAD_BYTES], told
        assert "tc_drops_one_port" in told[0]["caller"], told
        around = [event for event in trace.events if event.get("program")]
        assert len(around) == 2 and {event["packet"] for event in around} == {told[0]["packet"]}, around
        assert around[0]["seq"] < told[0]["seq"] < around[1]["seq"], (around, told)
        assert trace.totals.lost == 0 and trace.totals.packets == 1, trace.stderr
    with lab.test("without the flag it is not told"):
        with lab.Trace("--filter-trace-tc", "--probes", "path", f"udp port {PORT}") as trace:
            lab.send(pair, PORT)
            trace.wait_for(lambda event: event["func"] == "ip_local_deliver")
        assert trace.events and not calls(trace.events), trace.events
    programs.detach_tc(pair.right)


def check_xdp(pair, pins):
    with programs.xdp(pair.right.netns, pair.right.device, pins / "xdp_sends_on"), \
            lab.test("a helper that a program of XDP calls for a frame"):
        with lab.Trace(HELPERS, "--probes", "path", f"udp port {PORT}") as trace:
            lab.send(pair, PORT)
            trace.wait_for(lambda event: bool(calls([event])))
        told = calls(trace.events)
        assert told and {"redirect" in event["func"] for event in told} == {True}, told
        assert all("xdp_sends_on" in event["caller"] for event in told), told
        exits = [event for event in trace.events if event.get("program") and event["program"]["verdict"]]
        assert exits and exits[0]["program"]["verdict"] == "XDP_REDIRECT", trace.events


def main():
    with programs.loaded("tc_programs") as tc_pins, programs.loaded("xdp_programs") as xdp_pins, lab.NetnsPair() as pair:
        check_tc(pair, tc_pins)
        check_xdp(pair, xdp_pins)
    with lab.test("with drops alone it is refused"):
        done = lab.run("skbtrail", "trace", HELPERS, "--probes", "drops", check=False)
        assert done.returncode == 2 and HELPERS in done.stderr, done.stderr
    lab.finish()


main()
