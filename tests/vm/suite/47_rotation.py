#!/usr/bin/env python3
"""--output-file-max-size and what goes with it: files that follow each other without a gap, each whole by itself."""

import contextlib
import gzip
import json
import pathlib
import re
import shutil
import subprocess
import tempfile

import suite_lib as lab

PROGRAM = shutil.which("skbtrail")
MEGABYTE = 1 << 20
BACKUP = re.compile(r"-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}\.(json|pcapng|txt)(\.gz)?$")
work = pathlib.Path(tempfile.mkdtemp(prefix="rotation-", dir="/dev/shm"))


@contextlib.contextmanager
def traffic():
    """Pings on loopback: about 10 KB of JSON each."""
    with lab.Netns() as netns, lab.background("ping", "-i0.002", "-q", "127.0.0.1", netns=netns):
        yield


def files_of(path):
    """The backups by age, then the file itself."""
    backups = sorted(file for file in path.parent.iterdir() if file != path)
    assert all(BACKUP.search(file.name) for file in backups), backups
    return [*backups, path]


def content_of(path):
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data


def rotated(name, *arguments, output="json", files=4):
    """A trace until its output is in so many files; those, and the trace."""
    folder = work / f"{name}-{output}"
    folder.mkdir()
    path = folder / f"trace.{'txt' if output == 'text' else output}"
    with traffic(), lab.Trace("--probes", "path", "--output-file", path, "--output-file-max-size", 1, *arguments, "icmp",
                              output=output) as trace:
        made = set()

        def count():
            made.update(file.name.removesuffix(".gz").removesuffix(".gz.part") for file in folder.iterdir())
            return len(made) >= files
        lab.wait_until(count, 120, every=0.05)
    assert trace.status == 0 and trace.totals, trace.stderr
    return files_of(path), trace


def check_json():
    with lab.test("events go on in the next file: none is missing, none is parted, none comes twice"):
        files, trace = rotated("all")
        assert len(files) >= 4, files
        assert all(file.stat().st_size <= MEGABYTE for file in files), [file.stat() for file in files]
        lines = b"".join(content_of(file) for file in files).splitlines()
        numbers = [event["seq"] for event in map(json.loads, lines) if "seq" in event]
        assert numbers == list(range(1, trace.totals.events + 1)), (len(numbers), trace.stderr)
    with lab.test("a file that is there already is appended to until it is full"):
        before = files[-1].read_bytes()
        done = lab.run(PROGRAM, "trace", "--output", "json", "--probes", "path", "--output-file", files[-1],
                       "--output-file-max-size", 1, "--duration", "1s", timeout=120)
        assert lab.Totals.parse(done.stderr), done.stderr
        assert files[-1].read_bytes().startswith(before) or len(files_of(files[-1])) > len(files)
    with lab.test("only so many backups stay, compressed, and for their owner only"):
        files, _ = rotated("few", "--output-file-max-backups", 2, "--output-file-compress", files=6)
        assert [file.suffix for file in files] == [".gz", ".gz", ".json"], files
        assert all(file.stat().st_mode & 0o777 == 0o600 for file in files), files
        numbers = [json.loads(line).get("seq") for file in files for line in content_of(file).splitlines()]
        numbers = [number for number in numbers if number]
        assert numbers == list(range(numbers[0], numbers[-1] + 1)) and numbers[0] > 1, numbers[:3]
    with lab.test("backups that are too old go, others and what only looks like one stay"):
        folder = work / "old"
        folder.mkdir()
        for name in ("trace-2001-01-01T00-00-00.000.json", "trace-2001-01-01T00-00-00.000.json.gz",
                     "trace-2999-01-01T00-00-00.000.json", "trace-2001-01-01.json", "other-2001-01-01T00-00-00.000.json"):
            (folder / name).write_text("x")
        done = lab.run(PROGRAM, "trace", "--output", "json", "--probes", "drops", "--output-file", folder / "trace.json",
                       "--output-file-max-age", 7, "--duration", "1s", timeout=120)
        left = sorted(file.name for file in folder.iterdir())
        assert left == ["other-2001-01-01T00-00-00.000.json", "trace-2001-01-01.json",
                        "trace-2999-01-01T00-00-00.000.json", "trace.json"], (left, done.stderr)


def check_text():
    with lab.test("every file of a text trace begins with the titles of its columns"):
        files, _ = rotated("titles", output="text", files=3)
        assert all(content_of(file).startswith(b"PACKET ") for file in files), [content_of(file)[:80] for file in files]


def check_pcapng():
    if not shutil.which("tshark"):
        raise lab.Skip("tshark")
    files, trace = rotated("capture", "--snaplen", 1024, output="pcapng", files=3)
    packets = 0
    for file in files:
        done = lab.run("tshark", "-n", "-r", file, "-T", "fields", "-e", "frame.interface_name", "-e", "frame.comment",
                       timeout=300)
        lines = done.stdout.splitlines()
        assert all(re.match(r"(\S+@\d+|no interface\S*)\t(hop|drop) ", line) for line in lines), lines[:3]
        packets += len(lines)
    assert packets == trace.totals.events, (packets, trace.stderr)


def fails(name, done, *words):
    """One line with the reason and the cure, then the closing line."""
    reasons = [line for line in done.stderr.splitlines() if line.startswith("skbtrail trace: ")]
    print(f"    # {done.returncode}: {done.stderr.strip()}", flush=True)
    lab.check(name, done.returncode == 1 and len(reasons) == 1 and lab.Totals.parse(done.stderr)
              and all(re.search(word, reasons[0]) for word in words), done)


def trace_into(path, *arguments, prefix=()):
    return subprocess.run([*prefix, PROGRAM, "trace", "--probes", "path", "--output", "json", "--output-file", path,
                           "--output-file-max-size", "1", *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=300, check=False)


def check_failures():
    small = work / "small"
    small.mkdir()
    lab.run("mount", "-t", "tmpfs", "-o", "size=2900k", "none", small)
    with traffic():
        fails("a disk that backups have filled ends the trace, and says after which event",
              trace_into(small / "trace.json"), "small/trace.json", "No space", r"events after \d+ were not written",
              "free some space")
        for file in small.iterdir():
            file.unlink()
        done = trace_into(small / "trace.json", "--output-file-max-backups", "1", "--max-events", "15000")
        lab.check("on that disk a trace with fewer backups goes on", done.returncode == 0, done.stderr)
    lab.run("umount", small)
    lab.run("mount", "-t", "tmpfs", "none", small)
    (small / "trace.json").write_text("")
    lab.run("mount", "--bind", small / "trace.json", small / "trace.json")
    lab.run("mount", "-o", "remount,bind,ro", small)
    done = trace_into(small / "trace.json")
    print(f"    # {done.returncode}: {done.stderr.strip()}", flush=True)
    lab.check("a folder in which no backup can be made is refused at the start", done.returncode == 1
              and "small/trace.json" in done.stderr and "Read-only" in done.stderr and len(done.stderr.splitlines()) == 1,
              done)
    lab.run("umount", small / "trace.json")
    lab.run("umount", small)
    for flag in ("--output-file-max-backups", "--output-file-max-age", "--output-file-max-size"):
        done = lab.run(PROGRAM, "trace", flag, "3", check=False)
        lab.check(f"{flag} without a file is wrong usage", done.returncode == 2 and "--output-file" in done.stderr, done)


check_json()
check_text()
with lab.test("every file of a capture is one that tshark reads, with its interfaces"):
    check_pcapng()
check_failures()
shutil.rmtree(work)
lab.finish()
