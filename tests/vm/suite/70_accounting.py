#!/usr/bin/env python3
"""Every hit is written or counted as lost, whatever the reader does; memory stays bounded; forgotten packets age out."""

import contextlib
import json
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time

import suite_lib as lab

PROGRAM = shutil.which("skbtrail")
PORT = 9000
FLOOD_DEADLINE = 240     # seconds in which the hits have to come together; kernels are emulated
PATIENCE = 1             # seconds that a reader has once a trace wants to end
# Beside that: detaching, and printing for 0.4 s, on an emulated machine beside a flood.
STOP_SECONDS = 4
MIB = 1 << 20
work = pathlib.Path(tempfile.mkdtemp(prefix="accounting-", dir="/dev/shm"))

SENDER = f"""
import socket, sys
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
out.connect((sys.argv[1], {PORT}))
while True:
    try:
        for _ in range(100):
            out.send(b'x' * 64)
    except OSError:
        pass
"""
# Never reads: what does not fit into its buffer is dropped by the kernel.
RECEIVER = f"""
import socket, sys, time
sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sink.bind((sys.argv[1], {PORT}))
time.sleep(3600)
"""


@contextlib.contextmanager
def flood(pair):
    """UDP packets to somebody who does not read."""
    with lab.background(sys.executable, "-c", SENDER, pair.right.v4, netns=pair.left):
        yield


def map_entries(name):
    """(key bytes, value bytes, value as fields) of each entry of a map of the trace that runs."""
    def raw(part):
        return bytes(int(byte, 16) for byte in part)
    listed = json.loads(lab.run("bpftool", "-j", "map", "dump", "name", name).stdout)
    if listed and "elements" in listed[0]:
        # The maps of a trace before are still on their way out of the kernel.
        listed = max(listed, key=lambda one: one["id"])["elements"]
    return [(raw(entry["key"]), raw(entry.get("value", [])), entry.get("formatted", {}).get("value"), entry)
            for entry in listed]


def counters():
    """hits and losses as the kernel side has them."""
    total = {"hits": 0, "lost": [0, 0, 0]}
    for _, _, _, entry in map_entries("counters"):
        for cpu in entry["formatted"]["values"]:
            total["hits"] += cpu["value"]["hits"]
            total["lost"] = [a + b for a, b in zip(total["lost"], cpu["value"]["lost"])]
    return total


class Counted:
    """A trace whose output goes through a pipe into counters; the reader can be told to pause."""

    _numbers = 0

    def __init__(self, *arguments):
        Counted._numbers += 1
        ready = work / f"ready{Counted._numbers}"
        self._stderr = work / f"stderr{Counted._numbers}"
        self.events = 0
        self.loss = {"ring": 0, "budget": 0, "tracking": 0}
        self.loss_places = []
        self.may_read = threading.Event()
        self.may_read.set()
        with open(self._stderr, "wb") as err:
            self.process = lab.start(PROGRAM, "trace", "--output", "json", "--ready-file", ready, *arguments,
                                     f"udp and port {PORT}", stdout=subprocess.PIPE, stderr=err)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        if not lab.wait_until(lambda: ready.exists() or self.process.poll() is not None,
                              lab.READY_DEADLINE):
            raise RuntimeError("did not get ready")

    def _read(self):
        for line in self.process.stdout:
            self.may_read.wait()
            if not line.endswith(b"}\n"):
                continue    # the reader was given up in the middle of it
            if b'"type":"loss"' in line:
                loss = json.loads(line)
                self.loss[loss["cause"]] += loss["count"]
                self.loss_places.append(self.events)
            else:
                self.events += 1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # Otherwise the next test would find two traces and their maps.
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.may_read.set()
        self._reader.join()

    def highest_memory(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        return int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1)) * 1024

    def wait(self, deadline):
        """Waits for the trace to end by itself; TimeoutExpired when it does not."""
        self.process.wait(deadline)

    def end(self, number=signal.SIGINT, deadline=120):
        if number is not None:
            self.memory = self.highest_memory()
            self.process.send_signal(number)
        self.status = self.process.wait(deadline)
        self._reader.join()
        self.stderr = self._stderr.read_text(encoding="utf-8", errors="replace")
        self.totals = lab.Totals.parse(self.stderr)
        return self


def adds_up(name, trace, hits):
    """The closing line, the lines that were written and what the kernel counted say the same."""
    totals = trace.totals
    print(f"    # hits {hits}, {trace.stderr.splitlines()[-1] if trace.stderr else 'no closing line'}", flush=True)
    why = (f"status {trace.status}", trace.stderr, f"hits {hits}", f"lines {trace.events}", f"loss lines {trace.loss}")
    lab.check(f"{name}: no line is missing or too many", totals and trace.events == totals.events, *why)
    lab.check(f"{name}: loss lines tell every loss", totals and trace.loss == {
        "ring": totals.lost_ring, "budget": totals.lost_budget, "tracking": totals.lost_tracking}, *why)
    return lab.check(f"{name}: every hit was written or counted as lost", trace.status == 0 and totals
                     and totals.events + totals.lost_ring + totals.lost_budget == hits, *why)


@contextlib.contextmanager
def slow_link(pair, delay):
    """Packets are on their way for `delay`: many of them at once."""
    if not lab.load_module("sch_netem"):
        raise lab.Skip("sch_netem")
    lab.run("tc", "qdisc", "add", "dev", pair.left.device, "root", "netem", "delay", delay, "limit", "500",
            netns=pair.left)
    try:
        yield
    finally:
        lab.run("tc", "qdisc", "del", "dev", pair.left.device, "root", netns=pair.left)


def quiet_hits():
    """The count of hits once it stands still."""
    last = -1
    for _ in range(100):
        now = counters()["hits"]
        if now == last:
            return now
        last = now
        time.sleep(0.3)
    raise RuntimeError("hits do not end")


def hold_up(trace, pair, how, wanted):
    """Floods until enough hits came together, with a reader that is held up twice; the hits."""
    started = time.monotonic()
    with flood(pair), flood(pair):
        for pause in (3, 1):
            time.sleep(1)
            if how == "stopped":
                trace.process.send_signal(signal.SIGSTOP)
            else:
                trace.may_read.clear()
            time.sleep(pause)
            trace.process.send_signal(signal.SIGCONT)
            trace.may_read.set()
        lab.wait_until(lambda: counters()["hits"] >= wanted or trace.process.poll() is not None, FLOOD_DEADLINE, every=1)
    hits = quiet_hits()
    print(f"    # {hits} hits in {time.monotonic() - started:.0f} s", flush=True)
    return hits


lab.load_module("veth")
with lab.NetnsPair() as pair, lab.background(sys.executable, "-c", RECEIVER, pair.right.v4, netns=pair.right):
    lab.run("ping", "-c1", pair.right.v4, netns=pair.left)

    for how, wanted, arguments, bound in (("stopped", 2_000_000, ("--probes", "all"), 64),
                                          ("pipe", 200_000, ("--probes", "all", "--summary"), 128)):
        with lab.test(f"{how}: {wanted:,} hits with a reader that is held up"):
            # Where single kprobes are all there is, attaching them all would take longer than the rest of the test.
            if lab.kernel_version() < (6, 2):
                arguments = ("--probes", "path", *arguments[2:])
            with Counted(*arguments) as trace:
                hits = hold_up(trace, pair, how, wanted)
                trace.end()
            print(f"    # VmHWM {trace.memory / MIB:.1f} MiB", flush=True)
            assert trace.totals, trace.stderr
            adds_up(how, trace, hits)
            lab.check(f"{how}: there were {wanted:,} hits", hits >= wanted, hits)
            lab.check(f"{how}: memory stays below {bound} MiB", trace.memory < bound * MIB, f"{trace.memory / MIB:.1f}")
            if how == "stopped":
                lab.check(f"{how}: the ring overflowed", trace.totals.lost_ring > 0, trace.stderr)
                lab.check(f"{how}: loss lines stand where the gaps are, not all at the end",
                          any(0 < place < trace.events for place in trace.loss_places), trace.loss_places[:5])
            else:
                lab.check("pipe: the summary says that events are missing", "Events lost" in trace.stderr, trace.stderr[-2000:])

    with lab.test("a full table of followed packets counts the packets that it has no room for"), \
            slow_link(pair, "100ms"), Counted("--probes", "path", "--max-packets", "4") as trace:
        with flood(pair):
            assert lab.wait_until(lambda: counters()["lost"][1] > 100, 60), counters()
        hits = quiet_hits()
        trace.end()
        assert adds_up("a full table", trace, hits)
        assert trace.totals.lost_tracking > 100 and trace.totals.packets > 0, trace.stderr

    with lab.test("--rate writes no more than asked for and counts the rest"), \
            Counted("--probes", "path", "--rate", "100") as trace:
        started = time.monotonic()
        with flood(pair):
            assert lab.wait_until(lambda: counters()["lost"][2] > 20_000, 60), counters()
        seconds = time.monotonic() - started
        hits = quiet_hits()
        trace.end()
        assert adds_up("--rate", trace, hits)
        # A second may be saved up, and each CPU may take one more. A tracer that gets no CPU time, beside senders that
        # never rest, writes less than it might.
        most = 100 * (seconds + 3) + 100 + 2
        assert 20 <= trace.events <= most, (trace.events, most)

    with lab.test("--max-events ends the trace after exactly so many that were written, whatever the ring lost"), \
            Counted("--probes", "path", "--max-events", "20000", "--ring-size", "64K") as trace:
        with flood(pair):
            trace.process.send_signal(signal.SIGSTOP)
            assert lab.wait_until(lambda: counters()["lost"][0] > 1000, 60), counters()
            trace.process.send_signal(signal.SIGCONT)
            trace.end(None, deadline=120)
        print(f"    # {trace.stderr.splitlines()[-1]}", flush=True)
        assert trace.status == 0 and trace.totals.events == trace.events == 20000, trace.stderr
        assert trace.totals.lost_ring > 1000, trace.stderr
        assert trace.loss["ring"] == trace.totals.lost_ring, (trace.loss, trace.stderr)
        assert trace.loss["budget"] == trace.totals.lost_budget, (trace.loss, trace.stderr)

    # The flood first: a sender may take longer to start than the trace lasts.
    with lab.test("--duration ends a trace whose reader does not read"), flood(pair), \
            Counted("--probes", "path", "--duration", "3s") as trace:
        started = time.monotonic()
        trace.may_read.clear()
        trace.wait(lab.slowed(3 + PATIENCE + STOP_SECONDS))
        took = time.monotonic() - started
        trace.may_read.set()
        trace.end(None)
        print(f"    # {took:.2f} s: {trace.stderr}", flush=True)
        assert trace.status == 1 and "its reader does not read" in trace.stderr and trace.totals, trace.stderr
        written = int(re.search(r"events after (\d+) were not written", trace.stderr).group(1))
        assert trace.events == written < trace.totals.events, (trace.events, written, trace.totals)

    with lab.test("SIGINT with a full ring, beside a flood: the end does not wait for the ring, and the totals add up"), \
            Counted("--probes", "path", "--ring-size", "64M") as trace:
        with flood(pair):
            trace.process.send_signal(signal.SIGSTOP)
            assert lab.wait_until(lambda: counters()["lost"][0] > 1000, 120, every=0.5), counters()
            before = counters()["lost"][0]
            most = lab.slowed(STOP_SECONDS)
            started = time.monotonic()
            trace.process.send_signal(signal.SIGCONT)
            trace.end()
            took = time.monotonic() - started
        print(f"    # {took:.2f} s: {trace.stderr}", flush=True)
        # It was full: of records of 264 bytes, each behind a header of 8, a ring of 64 MiB holds so many.
        full = (64 << 20) // 272
        assert trace.totals.events + trace.totals.lost_ring - before >= full, (trace.totals, before)
        assert trace.events < full / 10, trace.stderr
        assert trace.status == 0 and trace.events == trace.totals.events, (trace.events, trace.stderr)
        assert trace.loss["ring"] == trace.totals.lost_ring, (trace.loss, trace.stderr)
        assert took < most, (took, most)

    with lab.test("a packet that is not seen for long is no longer followed, and that is said"), \
            slow_link(pair, "60s"), Counted("--probes", "path") as trace:
        lab.run(sys.executable, "-c", "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM)"
                f".sendto(b'x', ('{pair.right.v4}', {PORT}))", netns=pair.left)
        entries = lab.wait_until(lambda: map_entries("followed"), 20)
        assert len(entries) == 1, entries
        key, value, fields, _ = entries[0]
        # As if a minute had passed: every time in it is long ago.
        aged = value
        for name in ("last_ns", "born_ns"):
            aged = aged.replace(struct.pack("<Q", fields[name]), struct.pack("<Q", 1))
        assert aged != value, (fields, value)
        lab.run("bpftool", "map", "update", "name", "followed", "key", "hex", *(f"{byte:02x}" for byte in key),
                "value", "hex", *(f"{byte:02x}" for byte in aged))
        gone = lab.wait_until(lambda: not map_entries("followed"), 10)
        trace.end()
        assert gone, "it is still followed"
        assert "1 packets were not seen for 60 s" in trace.stderr, trace.stderr

shutil.rmtree(work)
lab.finish()
