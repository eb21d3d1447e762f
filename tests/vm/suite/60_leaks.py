#!/usr/bin/env python3
"""However a trace ends, nothing of it stays: no probe, no BPF object, no process, no open file of somebody who stays;
and the prompt is back at once."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

import suite_lib as lab

PROGRAM = shutil.which("skbtrail")
REMOVAL_DEADLINE = 120   # seconds; the worker removes single kprobes one by one
MANY = 150               # kprobes: several of the worker's events, and far from all functions
# Seconds from a signal to the end of a trace. That is the time for up to ten BPF links, most of them trampolines, which
# an idle machine takes off in a tenth of a second and an emulated one beside a build in one or two.
STOP_SECONDS = 4
work = pathlib.Path(tempfile.mkdtemp(prefix="leaks-", dir="/dev/shm"))
best = json.loads(lab.run(PROGRAM, "check", "-o", "json").stdout)["backend"]
backends = list(dict.fromkeys([best, "kprobe"]))


def read(path):
    try:
        return pathlib.Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def bpf_objects(kind):
    """Ids of programs, maps or links, without those that bpftool brings along to look."""
    # It fails when an object comes or goes while it looks.
    listing = lab.wait_until(lambda: done if (done := lab.run("bpftool", "-j", kind, "list", check=False)).returncode == 0
                             else None, 30)
    listed = json.loads(listing.stdout or "[]")
    return {entry["id"]: entry.get("name", entry.get("type")) for entry in listed
            if not str(entry.get("name", "")).startswith(("pid_iter", "iter", "bpftool"))}


def descriptors(pid="*"):
    """What is open of tracing (BPF objects, perf events, files of tracefs), by anyone but us."""
    found = set()
    for link in pathlib.Path("/proc").glob(f"{pid}/fd/*"):
        try:
            target = os.readlink(link)
        except OSError:
            continue
        if re.search(r"bpf|perf_event|/tracing/", target) and link.parts[2] != str(os.getpid()):
            found.add(f"{link.parts[2]} {read(link.parents[1] / 'comm').strip()}: {target}")
    return found


def processes():
    found = {}
    for folder in pathlib.Path("/proc").iterdir():
        words = read(folder / "cmdline").split("\0") if folder.name.isdigit() else [""]
        if os.path.basename(words[0]) == "skbtrail":
            found[folder.name] = " ".join(words)
    return found


def state():
    """Everything that a trace may leave behind."""
    return {
        "events": set(line for line in read("/sys/kernel/tracing/kprobe_events").splitlines() if "skbtrail" in line),
        "kprobes": set(read("/sys/kernel/debug/kprobes/list").splitlines()),
        "ftrace": set(line.split()[0] for line in read("/sys/kernel/tracing/enabled_functions").splitlines()),
        "prog": bpf_objects("prog"), "map": bpf_objects("map"), "link": bpf_objects("link"),
        "processes": processes(), "descriptors": descriptors(),
    }


def left_over(before):
    """What is there now and was not before."""
    now = state()
    return {kind: sorted(set(now[kind]) - set(before[kind]), key=str)[:5]
            for kind in now if set(now[kind]) - set(before[kind])}


def nothing_stays(name, before, deadline=REMOVAL_DEADLINE):
    started = time.monotonic()
    while (left := left_over(before)) and time.monotonic() < started + deadline:
        time.sleep(0.3)
    print(f"    # clean after {time.monotonic() - started:.1f} s", flush=True)
    return lab.check(f"{name} leaves nothing behind", not left, left)


def worker_of(trace_pid):
    """The helper process that a trace with single kprobes has started; it has a parent of its own by then."""
    mine = [pid for pid, command in processes().items() if "kprobe-worker" in command and int(pid) != trace_pid]
    return int(mine[0]) if mine else None


def open_files(pid):
    """What each descriptor of a process is of."""
    folder, files = f"/proc/{pid}/fd", []
    for number in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):
            files.append(os.readlink(f"{folder}/{number}"))
    return files


# Programs and probes that exist for the first time stay in the kernel's caches, not in these lists.
before = state()

STEPS = {
    "looking at the kernel": lambda: set(bpf_objects("map")) - set(before["map"]),
    "attaching": lambda: (read("/sys/kernel/tracing/kprobe_events") or
                          len(read("/sys/kernel/tracing/enabled_functions").splitlines()) > len(before["ftrace"])),
}
for backend in backends:
    # Where another one is better, kprobes differ only in what ends them by force, in between, or two at once (below).
    is_best = backend == best
    quick = ("--backend", backend, "--probes", "path", "icmp")

    if is_best:
        with lab.test(f"{backend}: a trace that is over ends by itself, in time"):
            with lab.Trace(*quick, "--duration", "6s") as trace:
                began = time.monotonic()
                # The kernel's symbols are read once it traces, which takes a slow machine more than a second.
                lab.wait_until(lambda: "/proc/kallsyms" not in open_files(trace.process.pid), 4)
                held = len(open_files(trace.process.pid))
                time.sleep(0.8)
                assert len(open_files(trace.process.pid)) == held, "it opens files while it runs"
                ended = trace.wait(60)
                took = time.monotonic() - began
            assert ended and trace.status == 0 and trace.totals.attached > 0, trace.stderr
            assert 5.5 < took < 6 + lab.slowed(STOP_SECONDS), took
        nothing_stays(f"{backend}: a trace that is over", before)

        with lab.Trace(*quick) as trace:
            trace.stop(signal.SIGINT)
        lab.check(f"{backend}: SIGINT ends a trace at once, with status 0",
                  trace.status == 0 and trace.totals and trace.detach_seconds < lab.slowed(STOP_SECONDS), trace.status,
                  trace.detach_seconds, trace.stderr)
        print(f"    # {trace.detach_seconds:.2f} s", flush=True)
        nothing_stays(f"{backend}: SIGINT", before)

    with lab.Trace(*quick) as trace:
        trace.stop(signal.SIGKILL)
    nothing_stays(f"{backend}: SIGKILL", before)

    if is_best:
        done = lab.run(PROGRAM, "trace", *quick, "--output-file", "/no/such/folder/file", check=False, timeout=120)
        lab.check(f"{backend}: a file that cannot be written is a failed start", done.returncode == 1, done)
        nothing_stays(f"{backend}: a start that failed at its output", before)

    for step, reached in STEPS.items() if is_best else [("attaching", STEPS["attaching"])]:
        with lab.test(f"{backend}: SIGINT while {step} ends it"):
            process = lab.start(PROGRAM, "trace", "--backend", backend, stderr=subprocess.PIPE)
            lab.wait_until(lambda: reached() or process.poll() is not None, 60)
            asked = time.monotonic()
            process.send_signal(signal.SIGINT)
            _, stderr = process.communicate(timeout=60)
            took = time.monotonic() - asked
            print(f"    # {took:.2f} s, status {process.returncode}: {stderr.decode().strip()}")
            # Until there is something to end in order, the signal just ends the process.
            assert process.returncode in (0, -signal.SIGINT), (process.returncode, stderr)
            assert took < lab.slowed(STOP_SECONDS + 1), took
        nothing_stays(f"{backend}: SIGINT while {step}", before)

with lab.test("a full table of open files is a failed start"):
    few = "ulimit -n 12; "
    many = "ulimit -n 300; for n in $(seq 10 200); do eval \"exec $n</dev/null\"; done; "
    for limits in (few, many):
        for command in ("trace --probes path", "agent", "pods"):
            done = lab.run("bash", "-c", f"{limits} exec {PROGRAM} {command}", check=False, timeout=120)
            assert done.returncode == 1 and len(done.stderr.splitlines()) == 1, done
            assert "open files" in done.stderr and "ulimit -n" in done.stderr, done
nothing_stays("a start that failed for want of files", before)


# ---- single kprobes have a worker, which can die too

kprobes = ("--backend", "kprobe", "--probes", "path", "icmp")
with lab.test("a worker that is killed ends the trace with a reason and the closing line"):
    with lab.Trace(*kprobes) as trace:
        worker = worker_of(trace.process.pid)
        os.kill(worker, signal.SIGKILL)
        assert trace.wait(20), "the trace goes on without its probes"
    print(f"    # {trace.stderr.strip()}", flush=True)
    assert trace.status == 1 and trace.totals, (trace.status, trace.stderr)
    assert re.search(r"kprobe worker .* died", trace.stderr), trace.stderr
# The kernel frees maps a little after their last user is gone.
lab.wait_until(lambda: set(left_over(before)) <= {"events", "kprobes"}, 10, every=0.3)
left = left_over(before)
lab.check("what a killed worker leaves are definitions that cost nothing", set(left) <= {"events", "kprobes"}, left)
lab.check("no kprobe of a killed worker is armed",
          all("[DISABLED]" in line for line in left.get("kprobes", [])), left)
with lab.test("the next traces work; two at once end without each other, and leave each other's files alone"):
    with lab.Trace(*kprobes) as first, lab.Trace(*kprobes) as second:
        held = descriptors(second.process.pid)
        first.stop(signal.SIGTERM)
        assert second.process.poll() is None
        assert held and descriptors(second.process.pid) == held, (held, descriptors(second.process.pid))
        second.stop(signal.SIGHUP)
    assert first.status == 0 and second.status == 0, (first.stderr, second.stderr)
nothing_stays("a killed worker, after the next traces,", before)


# ---- the prompt

with lab.test("with many kprobes the prompt is back as soon, and the worker removes them"):
    with lab.NetnsPair() as pair, lab.background("ping", "-i0.02", "-q", pair.right.v4, netns=pair.left):
        ready = work / "ready"
        with open(work / "stdout", "wb") as out, open(work / "stderr", "wb") as err:
            process = lab.start(PROGRAM, "trace", "--backend", "kprobe", "--probes", "all", "--output", "json",
                                "--ready-file", ready, "icmp", stdout=out, stderr=err)
        placed = lab.wait_until(
            lambda: process.poll() is None and len(read("/sys/kernel/tracing/kprobe_events").splitlines()) >= MANY, 240,
            every=0.5)
        count = len(read("/sys/kernel/tracing/kprobe_events").splitlines())
        asked = time.monotonic()
        process.send_signal(signal.SIGINT)
        status = process.wait(60)
        took = time.monotonic() - asked
        stderr = read(work / "stderr")
        print(f"    # exit {took:.2f} s after SIGINT with {count} kprobes placed\n    # {stderr.splitlines()[-2:]}")
        assert placed, count
        assert status == 0 and lab.Totals.parse(stderr), (status, stderr)
        assert took < lab.slowed(STOP_SECONDS), took
        assert "being removed in the background" in stderr, stderr
        programs = [entry for entry in bpf_objects("prog").values() if "kprobe" in str(entry)]
        armed = [line for line in read("/sys/kernel/debug/kprobes/list").splitlines()
                 if "[DISABLED]" not in line and "[FTRACE]" in line]
        print(f"    # right after: {len(armed)} kprobes armed, programs {programs}")
nothing_stays("a trace with many kprobes", before, deadline=300)

shutil.rmtree(work)
lab.finish()
