#!/usr/bin/env python3
"""Measures inside one kernel what tracing costs and delivers, beside pwru; writes JSON to $SKBTRAIL_OUT/bench.json.

Every figure is a ratio of two things measured in this same boot. Packet rates are medians of rounds.
"""

import contextlib
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "vm"))

import suite_lib as lab  # noqa: E402

BUILD = pathlib.Path(os.environ.get("SKBTRAIL_BENCH_TOOLS", HERE.parents[1] / "build/release/tests"))
PORT = 9000
ROUNDS = int(os.environ.get("SKBTRAIL_BENCH_ROUNDS", 5))
SENDS = 2
SECONDS = 2
NOTHING = "udp port 7"
EVERYTHING = f"udp port {PORT}"
ONE_IN_THOUSAND = f"udp port {PORT + 1}"
MULTI = ("fentry.multi", "kprobe.multi")


def tell(*words):
    print(*words, file=sys.stderr, flush=True)


class Traffic:
    """One sender and one receiver in two namespaces, as a `with` block."""

    def __init__(self, pair):
        self.pair = pair
        self._receivers = contextlib.ExitStack()

    def __enter__(self):
        for port in (PORT, PORT + 1):
            self._receivers.enter_context(
                lab.background(BUILD / "bench_flood", "receive", port, netns=self.pair.right.netns))
        time.sleep(0.5)
        sent = self.send(1)
        lost = lab.udp_losses(self.pair.right.netns)
        # Who sends to nobody measures how the kernel refuses packets.
        if lost["NoPorts"] > 0 or lost["RcvbufErrors"] > sent / 2:
            raise RuntimeError(f"the receiver did not get what was sent: {dict(lost)} of {sent}")
        return self

    def __exit__(self, *error):
        self._receivers.close()

    def send(self, seconds=SECONDS, every=0):
        """Packets a second."""
        sent = lab.run(BUILD / "bench_flood", "send", self.pair.right.v4, PORT, seconds, *([every] if every else []),
                       netns=self.pair.left.netns, timeout=120).stdout
        return int(sent) / seconds

    def rate(self, every=0):
        """Packets a second, of a few sends; short, since each round measures every kind of tracing in turn."""
        return statistics.mean(self.send(every=every) for _ in range(SENDS))


class Pwru:
    """pwru from start to ready; `stop()` returns how long its end took."""

    def __init__(self, *arguments, deadline=400):
        self.ready = pathlib.Path(f"/dev/shm/pwru-ready-{time.monotonic_ns()}")
        self.out = pathlib.Path(f"/dev/shm/pwru-out-{time.monotonic_ns()}")
        started = time.monotonic()
        with open(self.out, "wb") as out:
            self.process = lab.start(lab.pwru(), "--ready-file", self.ready, *arguments, stdout=out,
                                     stderr=subprocess.DEVNULL)
        lab.wait_until(lambda: self.ready.exists() or self.process.poll() is not None, deadline, every=0.01)
        if not self.ready.exists():
            raise RuntimeError(f"pwru {' '.join(arguments)} did not get ready (status {self.process.poll()})")
        self.attach_seconds = time.monotonic() - started

    def stop(self, deadline=400):
        started = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        self.process.wait(deadline)
        return time.monotonic() - started

    def events(self):
        return sum(1 for _ in open(self.out, "rb"))


def functions_attached():
    """kprobes and ftrace users that the kernel still has."""
    with open("/sys/kernel/tracing/enabled_functions", encoding="ascii") as enabled:
        return sum(1 for _ in enabled)


def measure_attach(figures):
    """Start to ready and interrupt to gone, all functions, no traffic."""
    single = figures["backend"] not in MULTI
    before = functions_attached()
    runs = 1 if single else 3
    ours, gone, back, first = [], [], [], []
    for _ in range(runs):
        trace = lab.Trace("--probes", "all", NOTHING, ready_deadline=400, stop_deadline=400)
        with trace:
            ours.append(trace.attach_seconds)
            started = time.monotonic()
            trace.stop()
            back.append(time.monotonic() - started)
            lab.wait_until(lambda: functions_attached() <= before, 400)
            gone.append(time.monotonic() - started)
    if single:
        started = time.monotonic()
        with lab.Trace("--probes", "path", NOTHING) as trace:
            first.append(time.monotonic() - started)
    figures["attach_s"] = statistics.median(ours)
    figures["functions"] = trace.totals.attached if not single else None
    figures["detach_s"] = statistics.median(gone)
    figures["prompt_back_s"] = statistics.median(back)
    if first:
        figures["path_attach_s"] = first[0]
    theirs, ends = [], []
    for _ in range(runs):
        peer = Pwru("--filter-track-skb", NOTHING)
        theirs.append(peer.attach_seconds)
        ends.append(peer.stop())
    figures["pwru_attach_s"] = statistics.median(theirs)
    figures["pwru_detach_s"] = statistics.median(ends)


@contextlib.contextmanager
def floor(probes):
    """An empty program on the same functions."""
    process = lab.start(BUILD / "bench_floor", probes, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    if not process.stdout.readline().startswith("ready"):
        raise RuntimeError("bench_floor did not attach")
    try:
        yield
    finally:
        process.stdin.close()
        process.wait(60)


@contextlib.contextmanager
def pwru(*arguments):
    peer = Pwru(*arguments)
    try:
        yield
    finally:
        peer.stop()


def trace(probes, expression):
    return lab.Trace("--probes", probes, expression, ready_deadline=400, stop_deadline=400)


def measure_cost(figures, traffic):
    """Packet rate while nothing or next to nothing matches: every kind in turn, round by round, the median of each."""
    kinds = {
        "untraced_pps": (contextlib.nullcontext, 0),
        "path_pps": (lambda: trace("path", NOTHING), 0),
        "all_pps": (lambda: trace("all", NOTHING), 0),
        "all_one_in_thousand_pps": (lambda: trace("all", ONE_IN_THOUSAND), 1000),
    }
    rounds = 1
    if figures["backend"] in MULTI:
        kinds["floor_all_pps"] = (lambda: floor("all"), 0)
        kinds["floor_path_pps"] = (lambda: floor("path"), 0)
        kinds["pwru_all_pps"] = (lambda: pwru("--filter-track-skb", NOTHING), 0)
        rounds = ROUNDS
    rates = {name: [] for name in kinds}
    for _ in range(rounds):
        for name, (attached, every) in kinds.items():
            with attached():
                rates[name].append(traffic.rate(every))
    figures["rounds"] = rates
    figures.update({name: statistics.median(all_of) for name, all_of in rates.items()})


def measure_delivery(figures, traffic):
    """Events delivered while everything matches, JSON to a file in memory."""
    seconds = 5
    # As lines: half a million events as Python's objects fill the machine.
    trace = lab.Trace("--probes", "all", "--output-json", EVERYTHING, output="text", ready_deadline=400, stop_deadline=400)
    with trace:
        traffic.send(seconds)
    totals = trace.totals
    figures["events"] = totals.events
    figures["events_per_s"] = totals.events / seconds
    figures["lost"] = totals.lost
    with open(trace.stdout_path, "rb") as lines:
        figures["lines"] = sum(1 for line in lines if b'"type":"loss"' not in line)


def measure_pwru(figures, traffic):
    """What pwru delivers while everything matches; its output is text, this version knows no JSON."""
    if "pwru_all_pps" not in figures:
        with pwru("--filter-track-skb", NOTHING):
            figures["pwru_all_pps"] = traffic.rate()
    peer = Pwru("--filter-track-skb", "--output-meta", "--output-tuple", EVERYTHING)
    seconds = 5
    traffic.send(seconds)
    peer.stop()
    figures["pwru_events"] = peer.events()
    figures["pwru_events_per_s"] = peer.events() / seconds


STEPS = {"attach": measure_attach, "cost": measure_cost, "delivery": measure_delivery, "pwru": measure_pwru}


def main():
    wanted = os.environ.get("SKBTRAIL_BENCH_STEPS", ",".join(STEPS)).split(",")
    figures = {"kernel": os.uname().release}
    with lab.Trace("--probes", "path", NOTHING) as warm:
        pass
    figures["backend"] = warm.totals.backend
    with lab.NetnsPair() as pair:
        if "attach" in wanted:
            measure_attach(figures)
        with Traffic(pair) as traffic:
            for name in ("cost", "delivery", "pwru"):
                if name in wanted:
                    STEPS[name](figures, traffic)
                    tell(json.dumps(figures))
            figures["lost_at_reader"] = lab.udp_losses(pair.right.netns)
    out = pathlib.Path(os.environ["SKBTRAIL_OUT"]) / "bench.json"
    out.write_text(json.dumps(figures), encoding="ascii")
    return 0


if __name__ == "__main__":
    sys.exit(main())
