#!/usr/bin/env python3
"""--output-bpfmap: which elements of maps BPF programs look up, set and delete for a followed packet."""

import json
import pathlib
import re

import programs_lab as programs
import suite_lib as lab

HASH, LRU, PERCPU, WIDE, TRIE, DELETES, OTHER = range(7510, 7517)
MAX_BYTES = 256     # TRACE_MAP_BYTES
FLAGS = ("--output-bpfmap", "--filter-trace-tc", "--probes", "path")


def u32(number):
    return number.to_bytes(4, "little").hex()


def u64(number):
    return number.to_bytes(8, "little").hex()


def traced(pair, port, count=1):
    """What programs have done with maps for packets to this port, while as many for other ports are on their way."""
    with lab.Trace(*FLAGS, f"udp port {port}") as trace:
        for _ in range(count):
            lab.send(pair, OTHER, 3)
            lab.send(pair, port)
        lab.wait_until(lambda: [event["func"] for event in trace.so_far()].count("ip_local_deliver") >= count, 30)
    assert trace.totals.lost == 0 and trace.totals.packets == count, trace.stderr
    told = [event for event in trace.events if event.get("map")]
    assert all(event["tracked_by"] == "stack" and event["skb"] is None for event in told), told
    assert all("tc_uses_maps" in event["caller"] for event in told), told
    assert {event["packet"] for event in told} <= {event["packet"] for event in programs.steps(trace.events)}, told
    return [event["map"] for event in told]


def can_be_traced(function):
    listed = pathlib.Path("/sys/kernel/tracing/available_filter_functions").read_text()
    return re.search(rf"^{function}$", listed, re.M) is not None


def ids():
    return {one["name"]: one["id"] for one in json.loads(lab.run("bpftool", "-j", "map", "show").stdout) if "name" in one}


def check_counting(pair, what, name, port, first):
    """Of three packets the first finds nothing, and each sets what the next one finds."""
    with lab.test(f"{what}: a key that is not there, what is set, and what the next packet finds"):
        told = traced(pair, port, 3)
        # Updates carry the map's own name, id and sizes.
        same = {(one["id"], one["name"], one["key_size"], one["value_size"], one["key"]) for one in told}
        assert same == {(ids()[name], name, 4, 8, u32(port))}, told
        did = [(one["operation"], one.get("found"), one["value"]) for one in told]
        assert did == [("lookup", False, None), ("update", None, u64(first)),
                       ("lookup", True, u64(first)), ("update", None, u64(first + 1)),
                       ("lookup", True, u64(first + 1)), ("update", None, u64(first + 2))], did


def check_others(pair):
    with lab.test("an LPM trie, whose key has two words"):
        told = traced(pair, TRIE, 2)
        assert {one["key"] for one in told} == {u32(32) + u32(TRIE)}, told
        did = [(one["operation"], one.get("found"), one["value"]) for one in told]
        wanted = [("lookup", False, None), ("update", None, u64(0x4444)), ("lookup", True, u64(0x4444))]
        # Linux 7.2 does not let its lookup be traced.
        assert did == (wanted if can_be_traced("trie_lookup_elem") else wanted[1:2]), did
    with lab.test("what is deleted has a key alone"):
        (one,) = traced(pair, DELETES)
        assert (one["operation"], one["name"], one["key"], one["value"]) == ("delete", "in_hash", u32(HASH), None), one
        assert "found" not in one, one
    with lab.test("a value that is longer than a record holds is cut, and its size told"):
        (one,) = traced(pair, WIDE)
        assert one["value_size"] == 320 and len(one["value"]) == 2 * MAX_BYTES, one
        assert one["value"].startswith(u64(1)) and set(one["value"][2:]) == {"0"}, one


def check_text(pair):
    with lab.test("as text it is a line below the call"):
        with lab.Trace(*FLAGS, f"udp port {HASH}", output="text") as trace:
            lab.send(pair, HASH)
            lab.wait_until(lambda: "ip_local_deliver" in trace.stdout_path.read_text(), 20)
            text = trace.stdout_path.read_text()
        did = re.findall(rf"^ +map {ids()['in_hash']} 'in_hash': (.*)$", text, re.M)
        key = u32(HASH)
        # It was deleted just before.
        assert did == [f"lookup of key {key}: no such element", f"update of key {key}: value {u64(0x1111)}"], text


def check_without(pair):
    with lab.test("without the flag calls are told, and no keys"):
        with lab.Trace("--filter-track-bpf-helpers", "--filter-trace-tc", "--probes", "path", f"udp port {HASH}") as trace:
            lab.send(pair, HASH)
            trace.wait_for(lambda event: event["func"] == "ip_local_deliver")
        told = [event for event in trace.events if event["skb"] is None]
        assert any("elem" in event["func"] for event in told) and not any("map" in event for event in told), told
    with lab.test("with drops alone it is refused"):
        done = lab.run("skbtrail", "trace", "--output-bpfmap", "--probes", "drops", check=False)
        assert done.returncode == 2 and "--output-bpfmap" in done.stderr, done.stderr


def main():
    with programs.loaded("map_programs") as pins, lab.NetnsPair() as pair:
        programs.attach_tc(pair.right, "ingress", pins / "tc_uses_maps")
        check_counting(pair, "a hash table", "in_hash", HASH, 0x1111)
        check_counting(pair, "an LRU hash table", "in_lru", LRU, 0x2222)
        check_counting(pair, "a hash table with values of each CPU", "in_percpu", PERCPU, 0x3333)
        check_others(pair)
        check_text(pair)
        check_without(pair)
    lab.finish()


main()
